import RoostConfiguration
import RoostCore

/// What is recorded of a service whose configuration can't be used.
package enum RecordedService {
  /// What served last, or else the last good release; nil if that isn't recorded, or belongs to a service that kept its
  /// record elsewhere. `service` is its name, if that is known.
  package static func configuration(in directory: String, of service: String?) -> Configuration? {
    guard let history = try? HistoryFile.read(in: directory, of: service) else { return nil }
    let candidates = [history.servedLast, history.lastGood.map { Generation(number: $0) }].compactMap(\.self)
    return candidates.lazy.compactMap(history.configuration).first {
      $0.history?.directory == directory && $0.settings.fallsBack
    }
  }
}
