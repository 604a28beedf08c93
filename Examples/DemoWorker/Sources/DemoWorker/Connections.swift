import NIOConcurrencyHelpers
import NIOCore

/// Everything that is connected, so that draining knows when it is over.
final class Connections: Sendable {
  private struct State {
    var open: [ObjectIdentifier: Channel] = [:]
    var drained: EventLoopPromise<Void>?
  }

  private let state = NIOLockedValueBox(State())

  /// Whether connections are to come to their end.
  var isDraining: Bool {
    state.withLockedValue { $0.drained != nil }
  }

  func add(_ channel: Channel) {
    state.withLockedValue { $0.open[ObjectIdentifier(channel)] = channel }
  }

  func remove(_ channel: Channel) {
    let drained: EventLoopPromise<Void>? = state.withLockedValue { state in
      state.open[ObjectIdentifier(channel)] = nil
      return state.open.isEmpty ? state.drained : nil
    }
    drained?.succeed()
  }

  /// Tells every connection to come to its end. The promise succeeds when the last has.
  func drain(promise: EventLoopPromise<Void>) {
    let open = state.withLockedValue { state in
      state.drained = promise
      return Array(state.open.values)
    }
    if open.isEmpty { return promise.succeed() }
    for channel in open { channel.pipeline.fireUserInboundEventTriggered(DrainEvent()) }
  }
}

/// Tells a connection to come to its end.
struct DrainEvent: Sendable {}
