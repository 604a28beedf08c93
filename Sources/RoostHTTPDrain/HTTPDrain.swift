/// One HTTP/1 connection of a server, from its first request to its end: decides what its last response is, and when it
/// may be closed without cutting a request off.
///
/// No server can close a kept-alive connection without a chance that a request is on its way. So while it drains, it tells
/// the client with the next response that this was the last one, and closes an idle connection only if no request comes
/// for a while.
package struct HTTPDrain: Equatable, Sendable {
  package enum Order: Equatable, Sendable {
    /// Nothing.
    case none
    /// Wait for a request that may be on its way: the first of a new connection, or one more of an idle one. Close it
    /// after a while if it still has none (`hasNoRequest`).
    case wait
    /// Close it for writing when the response is written, and altogether when the client has closed it.
    case closeWhenWritten
  }

  private enum Phase: Equatable {
    /// There was no request yet.
    case fresh
    /// All requests are answered.
    case idle
    /// So many requests are unanswered; the last one may still be arriving.
    case busy(Work)
    /// The last response is written.
    case closing
  }

  private struct Work: Equatable {
    /// Requests whose response hasn't ended.
    var unanswered = 0
    /// The head of a request has come, and its end not yet.
    var isReceiving = false
    /// A client that pipelines may send more behind a request that it declared to be the last.
    var isLastRequest = false
    /// The response that is being written says that the connection ends.
    var isLastResponse = false
  }

  private var phase = Phase.fresh
  private var isDraining = false

  package init() {}

  /// The head of a request has come. `keepsAlive` says whether the client wants to send more after it.
  package mutating func requestBegan(keepsAlive: Bool) {
    switch phase {
    case .fresh, .idle:
      phase = .busy(Work(unanswered: 1, isReceiving: true, isLastRequest: !keepsAlive))
    case .busy(var work):
      work.unanswered += 1
      work.isReceiving = true
      work.isLastRequest = work.isLastRequest || !keepsAlive
      phase = .busy(work)
    case .closing: break
    }
  }

  package mutating func requestEnded() -> Order {
    switch phase {
    case .busy(var work):
      work.isReceiving = false
      return go(on: work)
    case .fresh, .idle, .closing: return .none
    }
  }

  /// The head of a final response is to be written. `saysClose` says whether it ends the connection by itself.
  ///
  /// - Returns: Whether it has to say that the connection ends.
  package mutating func responseBegan(saysClose: Bool) -> Bool {
    switch phase {
    case .busy(var work):
      work.isLastResponse = saysClose || (work.unanswered == 1 && (isDraining || work.isLastRequest))
      phase = .busy(work)
      return work.isLastResponse
    // A response to something that never became a request, such as a head that can't be parsed.
    case .fresh, .idle: return saysClose
    case .closing: return true
    }
  }

  /// The end of a response is to be written.
  package mutating func responseEnded() -> Order {
    switch phase {
    case .busy(var work):
      if work.isLastResponse {
        phase = .closing
        return .closeWhenWritten
      }
      work.unanswered -= 1
      return go(on: work)
    case .fresh, .idle, .closing: return .none
    }
  }

  package mutating func drainRequested() -> Order {
    if isDraining { return .none }
    isDraining = true
    switch phase {
    case .fresh, .idle: return .wait
    case .busy, .closing: return .none
    }
  }

  /// Whether nothing is on its way, as far as anybody can know.
  package var hasNoRequest: Bool {
    switch phase {
    case .fresh, .idle: true
    case .busy, .closing: false
    }
  }

  /// Its head was written before anybody knew that the connection is to end: the client may count on one more.
  private mutating func go(on work: Work) -> Order {
    if work.unanswered > 0 || work.isReceiving {
      phase = .busy(work)
      return .none
    }
    phase = .idle
    return isDraining ? .wait : .none
  }
}
