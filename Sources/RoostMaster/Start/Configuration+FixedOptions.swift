import RoostConfiguration
import RoostControl

extension Configuration {
  /// What a reload can't change. To go on with the former value and say nothing would be no truthful success.
  func fixedChange(in new: Configuration) -> String? {
    let (old, wanted) = (control, new.control)
    // Where it is made of the name, it goes with that.
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

  /// Whether the record is to be elsewhere, other than with the control socket, beside which it is where nothing else is said.
  private func hasMoved(_ new: Configuration) -> Bool {
    guard let old = history, old.directory != new.history?.directory else { return false }
    return old.directory != control?.directory || new.history?.directory != new.control?.directory
  }
}
