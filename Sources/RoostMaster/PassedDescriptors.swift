import CRoostMaster
import Glibc

/// What others pass on sockets of the master. It closes none of it itself: whoever has passed it decides how long that takes.
enum PassedDescriptors {
  /// So many of one sender that are slow to be closed are nobody's mistake.
  private static let mostOfSender = 128
  /// With so many that nobody can close, no more are taken.
  private static let mostUnclosed = 512
  /// How long the processes that close it have to get at it, in µs. It is a moment, unless the machine is busy.
  private static let patience: UInt64 = 200_000

  /// Stands for everybody whom nobody knows.
  static let stranger: UInt64 = 0

  /// Has what came along with a message closed. `sender` stands for whoever has sent it.
  static func close(_ datagram: inout roost_datagram, from sender: UInt64) {
    guard datagram.descriptor_count > 0 else { return }
    let count = datagram.descriptor_count
    withUnsafeBytes(of: &datagram.descriptors) { bytes in
      roost_close_elsewhere(bytes.bindMemory(to: Int32.self).baseAddress!, count, sender)
    }
  }

  /// Whether a sender isn't to be heard any more: what came along can't be closed, as what came before.
  static func areTooMany(from sender: UInt64) -> Bool { !comesAbout { roost_closing_for(sender) <= mostOfSender } }

  /// Whether nothing is to be received that comes with more.
  static var areUnclosed: Bool { roost_unclosed() > mostUnclosed }

  /// Tries again what couldn't be closed. Returns whether some of it still can't.
  @discardableResult
  static func closeUnclosed() -> Bool {
    if roost_unclosed() > 0 { roost_close_elsewhere(nil, 0, stranger) }
    return roost_unclosed() > 0
  }

  /// Whether none of it is in the master's table of descriptors any more. What is there a child gets too, and execve(2) closes it:
  /// whoever waits for either waits for that.
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
