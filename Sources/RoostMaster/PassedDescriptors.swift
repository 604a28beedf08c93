import CRoostMaster
import Glibc

/// Descriptors that others pass on the master's sockets. It closes none of them itself: the sender decides how long
/// that takes.
enum PassedDescriptors {
  /// If more than this many of one sender are slow to close, it isn't by mistake.
  private static let mostOfSender = 128
  /// With more than this many that can't be closed, no more are taken.
  private static let mostUnclosed = 512
  /// How long the processes that close them have to begin, in µs. It takes a moment, unless the machine is busy.
  private static let patience: UInt64 = 200_000

  /// Stands for all unknown senders.
  static let stranger: UInt64 = 0

  /// Has the descriptors that came along with a message closed. `sender` stands for its sender.
  static func close(_ datagram: inout roost_datagram, from sender: UInt64) {
    guard datagram.descriptor_count > 0 else { return }
    let count = datagram.descriptor_count
    withUnsafeBytes(of: &datagram.descriptors) { bytes in
      roost_close_elsewhere(bytes.bindMemory(to: Int32.self).baseAddress!, count, sender)
    }
  }

  /// Whether to stop listening to a sender: its descriptors can't be closed, like those before.
  static func areTooMany(from sender: UInt64) -> Bool { !comesAbout { roost_closing_for(sender) <= mostOfSender } }

  /// Whether to receive nothing that comes with more.
  static var areUnclosed: Bool { roost_unclosed() > mostUnclosed }

  /// Tries again what couldn't be closed. Returns whether some of it still can't.
  @discardableResult
  static func closeUnclosed() -> Bool {
    if roost_unclosed() > 0 { roost_close_elsewhere(nil, 0, stranger) }
    return roost_unclosed() > 0
  }

  /// Whether the master's table of descriptors is free of them. A child gets what is there too, and execve(2) closes
  /// it: waiting for either means waiting for that.
  static var areLetGo: Bool {
    closeUnclosed()
    return roost_unclosed() == 0 && comesAbout(roost_has_let_go)
  }

  private static func comesAbout(_ condition: () -> Bool) -> Bool {
    guard !condition() else { return true }
    let deadline = Clock.now().microseconds + patience
    repeat {
      sched_yield()
      if condition() { return true }
    } while Clock.now().microseconds < deadline
    return false
  }
}
