import RoostLog

/// The files by which others find the master and its sockets. Somebody may remove them while it runs, as cleaners of
/// temporary files do, or put others in their place.
final class OwnFiles {
  private let control: ControlServer?
  private let metrics: MetricsServer?
  private let workers: Workers
  private let log: Log
  /// Where other tools find the pid, if they are to.
  private var pidFile: PidFile?
  /// Whether they are to be looked at, for a reload.
  private var areDue = false

  init(_ control: ControlServer?, _ metrics: MetricsServer?, _ workers: Workers, _ log: Log) {
    self.control = control
    self.metrics = metrics
    self.workers = workers
    self.log = log
  }

  /// Makes those anew that aren't there any more: at each reload, and before and after an upgrade. What can't be had is told
  /// and fails no reload: the workers serve without. The listeners' files belong to a generation, and come with its
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
      for made in try make() { log.warning("made anew: \(made)") }
    } catch {
      log.error("\(error)")
    }
  }

  // MARK: The pid file

  func writePid(to path: String) throws(MasterError) { pidFile = try PidFile(path) }

  /// What an upgrade hands over: missing also where a former version has kept it closed.
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
