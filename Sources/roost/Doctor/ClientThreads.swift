import Foundation
import Synchronization

/// Clients at work, each on a thread of its own, while the main thread watches the workers.
final class ClientThreads: Sendable {
  private let running = Mutex(0)
  private let over = Mutex(false)

  /// Whether they are to come to their end.
  var isOver: Bool { over.withLock { $0 } }
  /// Whether none is left.
  var areDone: Bool { running.withLock { $0 == 0 } }

  func start(_ body: @escaping @Sendable () -> Void) {
    running.withLock { $0 += 1 }
    Thread.detachNewThread { [self] in
      body()
      running.withLock { $0 -= 1 }
    }
  }

  /// Has them come to their end.
  func finish() {
    over.withLock { $0 = true }
  }
}
