import Foundation
import Synchronization

/// Clients at work, each on its own thread, while the main thread watches the workers.
final class ClientThreads: Sendable {
  private let running = Mutex(0)
  private let over = Mutex(false)

  /// Whether they are to finish.
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

  /// Makes them finish.
  func finish() {
    over.withLock { $0 = true }
  }
}
