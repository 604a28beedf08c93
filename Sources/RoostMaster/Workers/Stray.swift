import CRoostMaster
import Glibc
import RoostSystemd

/// A process that has left the group of its worker, and outlived it with a listener.
final class Stray {
  let pid: pid_t
  let name: String
  /// Stands for it whatever becomes of its pid, which is only its own while the master is its parent. -1 in a sandbox
  /// that has no such descriptors.
  private let descriptor: Descriptor
  private var source: Source?

  init(_ pid: pid_t, name: String) {
    self.pid = pid
    self.name = name
    descriptor = Descriptor(adopting: roost_process_descriptor(pid))
  }

  // Before the descriptor is closed (`Source`).
  deinit { source = nil }

  /// Calls the handler when it has ended. No signal reports the end of one that isn't the master's child.
  func watch(in loop: EventLoop, _ handler: @escaping () -> Void) throws(SystemdError) {
    guard descriptor.number >= 0 else { return }
    source = try loop.onReadable(descriptor.number, priority: .early) { [unowned self] in
      source?.setEnabled(false)
      handler()
    }
  }

  func signal(_ number: Int32) {
    if descriptor.number < 0 { kill(pid, number) } else { _ = roost_signal_process(descriptor.number, number) }
  }
}
