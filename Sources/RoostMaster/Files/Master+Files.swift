/// The files by which others find the master and its sockets. Somebody may remove them while it runs, as cleaners of
/// temporary files do, or put others in their place.
extension Master {
  /// Makes those anew that aren't there any more: at each reload, and before and after an upgrade. What can't be had is told
  /// and fails no reload: the workers serve without. The listeners' files belong to a generation, and come with its
  /// preparation.
  func renewFiles() {
    renew { () throws(MasterError) in try control?.renew() ?? [] }
    renew { () throws(MasterError) in try named("the socket for acknowledgements", einhorn?.renew()) }
    renew { named("the socket of the metrics", metricsServer?.renew()) }
    renew { () throws(MasterError) in try named("the pid file", pidFile?.renew()) }
  }

  /// The same, if a reload has begun since.
  func renewDueFiles() {
    guard areFilesDue else { return }
    areFilesDue = false
    renewFiles()
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

  /// After an upgrade.
  func restorePidFile(_ saved: SavedDescriptor?) {
    guard let path = configuration.pidFile else { return }
    do {
      pidFile = try PidFile(restoring: saved, path)
    } catch {
      log.error("\(error)")
    }
  }
}
