import RoostLog

/// The files by which others find the master and its sockets. They may be removed while it runs, as by cleaners of
/// temporary files, or replaced.
final class OwnFiles {
  private let control: ControlServer?
  private let metrics: MetricsServer?
  private let workers: Workers
  private let log: Log
  /// Where other tools find the pid, if configured.
  private var pidFile: PidFile?
  /// Whether they are to be checked, for a reload.
  private var areDue = false

  init(_ control: ControlServer?, _ metrics: MetricsServer?, _ workers: Workers, _ log: Log) {
    self.control = control
    self.metrics = metrics
    self.workers = workers
    self.log = log
  }

  /// Recreates those that are gone: at each reload, and before and after an upgrade. What can't be recreated is logged,
  /// but fails no reload: the workers serve without it. The listeners' files belong to a generation, and come with its
  /// preparation.
  func renew() {
    renew { () throws(MasterError) in try control?.renew() ?? [] }
    renew { () throws(MasterError) in try named("the socket for acknowledgements", workers.einhorn?.renew()) }
    renew { named("the socket of the metrics", metrics?.renew()) }
    renew { () throws(MasterError) in try named("the pid file", pidFile?.renew()) }
  }

  /// A reload has begun: they are due soon.
  func areWanted() { areDue = true }

  /// The same as `renew`, if a reload has begun since.
  func renewWhatIsDue() {
    guard areDue else { return }
    areDue = false
    renew()
  }

  private func named(_ what: String, _ loss: String??) -> [String] {
    loss.flatMap(\.self).map { ["\(what): \($0)"] } ?? []
  }

  private func renew(_ make: () throws(MasterError) -> [String]) {
    do {
      for made in try make() { log.warning("recreated: \(made)") }
    } catch {
      log.error("\(error)")
    }
  }

  // MARK: The pid file

  func writePid(to path: String) throws(MasterError) { pidFile = try PidFile(path) }

  /// What an upgrade hands over: also missing if a former version kept it closed.
  var savedPidFile: SavedDescriptor? { pidFile?.saved }

  func restorePidFile(_ saved: SavedDescriptor?, _ path: String) {
    do {
      pidFile = try PidFile(restoring: saved, path)
    } catch {
      log.error("\(error)")
    }
  }

  func removePidFile() { pidFile?.remove() }
}
