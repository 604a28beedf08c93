import Glibc
import RoostConfiguration
import RoostCore

extension Master {
  /// The path where workers that were written for einhorn send their acknowledgement; nil if there is no place for it.
  func einhornPath(for configuration: WorkerConfiguration) throws(MasterError) -> String? {
    guard configuration.compatibility.contains(.einhorn), let directory = self.configuration.control?.directory else {
      return nil
    }
    if let einhorn { return einhorn.path }
    let socket = try EinhornSocket(in: directory, loop: loop, log) { [unowned self] in acknowledged(pid: $0, uid: $1) }
    einhorn = socket
    return socket.path
  }

  func acknowledged(pid: pid_t, uid: uid_t) {
    guard let process = processes.first(where: { $0.pid == pid && $0.state == .running }),
      process.release.configuration.compatibility.contains(.einhorn), process.isAcceptableSender(uid)
    else { return }
    acknowledged(process)
  }

  /// A worker has said in einhorn's way that it is ready.
  func acknowledged(_ process: WorkerProcess) {
    acceptance.spoke(process.id)
    if process.release.configuration.readinessChannel.isByAcknowledgement { handle(.workerReady(process.id)) }
  }
}
