import RoostCore
import RoostLog
import RoostSystemd

/// The queues that are left to retiring workers. Connections in the queue of a removed listener were made while it was
/// there, and only those workers have it. So they accept what is queued before they are told to drain, because after
/// that they accept no more.
final class LeftQueues {
  /// The kernel doesn't report that a queue has become empty.
  private static let interval: Duration = .milliseconds(2)
  /// A handshake that had begun when the listener was shut takes a moment to reach the queue: a tenth of a second, counted
  /// in looks, because while nothing runs none gets there.
  private static let looks = 50

  /// A worker that isn't told to drain before its queues are empty.
  private struct Awaited {
    let id: WorkerID
    /// The listeners whose queues are left to it by now.
    let listeners: () -> [Listener]
    /// How often to look until an empty queue is believed.
    var looks = LeftQueues.looks

    var isEmpty: Bool { listeners().allSatisfy { $0.isEmpty(slot: $0.reuseport == nil ? 0 : id.slot) } }
  }

  private let log: Log
  private var awaited: [Awaited] = []
  private var timer: Timer?
  private var areEmpty: (WorkerID) -> Void = { _ in }

  init(log: Log) {
    self.log = log
  }

  /// Calls the handler with each worker whose queues are empty.
  func watch(in loop: EventLoop, _ areEmpty: @escaping (WorkerID) -> Void) throws(SystemdError) {
    self.areEmpty = areEmpty
    timer = try loop.timer(priority: .late) { [unowned self] in look() }
  }

  /// Waits until no connection waits any more where only this worker can accept.
  func await(_ process: WorkerProcess, _ listeners: @escaping () -> [Listener]) {
    let new = Awaited(id: process.id, listeners: listeners)
    awaited.append(new)
    arm()
    if !new.isEmpty {
      log.info(
        "worker \(process.pid) gets its stop signal when it has accepted the connections queued on closed listeners")
    }
  }

  /// Forgets the workers that the supervisor no longer waits for.
  func forget(where isOver: (WorkerID) -> Bool) {
    if !awaited.isEmpty { awaited.removeAll { isOver($0.id) } }
  }

  private func look() {
    for index in awaited.indices where awaited[index].looks > 0 { awaited[index].looks -= 1 }
    let empty = awaited.filter { $0.looks == 0 && $0.isEmpty }.map(\.id)
    awaited.removeAll { empty.contains($0.id) }
    for id in empty { areEmpty(id) }
    arm()
  }

  private func arm() {
    timer?.set(awaited.isEmpty ? nil : (Clock.now() + Self.interval).microseconds)
  }
}
