import RoostConfiguration
import RoostControl

extension Configuration {
  /// What a reload can't change. To keep the former value and say nothing wouldn't be a truthful success.
  func fixedChange(in new: Configuration) -> String? {
    let (old, wanted) = (control, new.control)
    // If it is derived from the name, it changes with that.
    let isDerived =
      old?.directory == ControlPlace.forMaster(name: name)
      && wanted?.directory == ControlPlace.forMaster(name: new.name)
    let changed: [(String, Bool)] = [
      ("name", new.name != name), ("pid-file", new.pidFile != pidFile),
      ("control-directory", old?.directory != wanted?.directory && !isDerived),
      ("control-group", old?.group != wanted?.group), ("state-directory", hasMoved(new)),
      ("metrics", new.metrics != metrics),
    ]
    let names = changed.filter(\.1).map { "'\($0.0)'" }
    guard let last = names.last else { return nil }
    let have = names.count == 1 ? "has" : "have"
    let all = names.count == 1 ? last : names.dropLast().joined(separator: ", ") + " and " + last
    return "\(all) \(have) changed, which takes effect only when the service is restarted"
  }

  /// Whether the record is to move, other than with the control socket, beside which it is by default.
  private func hasMoved(_ new: Configuration) -> Bool {
    guard let old = history, old.directory != new.history?.directory else { return false }
    return old.directory != control?.directory || new.history?.directory != new.control?.directory
  }
}
