#if NIO
import NIOCore
import RoostWorker

extension Worker {
  /// Says that this worker is alive, twice as often as it has to, for as long as all event loops of the group turn: one
  /// that is stuck makes it fall silent, and the master replaces it. Does nothing if the master doesn't want to hear it.
  ///
  /// It goes on until the process ends: a worker that drains has to be alive too.
  public func keepAlive(on group: any EventLoopGroup) {
    guard let watchdogTimeout else { return }
    let loops = Array(group.makeIterator())
    let interval = TimeAmount(watchdogTimeout / 2)
    loops[0].scheduleRepeatedTask(initialDelay: .zero, delay: interval, notifying: nil) { _ in
      EventLoopFuture.andAllSucceed(loops.map { $0.submit {} }, on: loops[0]).whenSuccess {
        // A master that can't be reached is gone, and has sent its stop signal.
        try? self.ping()
      }
    }
  }
}
#endif
