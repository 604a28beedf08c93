import RoostHTTPDrain
import Testing

@Suite("HTTP drain")
struct HTTPDrainTests {
  /// A whole exchange on a connection that isn't draining.
  private func used() -> HTTPDrain {
    var drain = HTTPDrain()
    drain.requestBegan(keepsAlive: true)
    #expect(drain.requestEnded() == .none)
    #expect(drain.responseBegan(saysClose: false) == false)
    #expect(drain.responseEnded() == .none)
    return drain
  }

  @Test("Without a drain a kept-alive connection goes on")
  func keptAlive() {
    var drain = used()
    drain.requestBegan(keepsAlive: true)
    #expect(drain.responseBegan(saysClose: false) == false)
    #expect(drain.responseEnded() == .none)
    #expect(drain.requestEnded() == .none)
  }

  @Test("A client's last request gets the last response")
  func lastRequest() {
    var drain = HTTPDrain()
    drain.requestBegan(keepsAlive: false)
    #expect(drain.requestEnded() == .none)
    #expect(drain.responseBegan(saysClose: false) == true)
    #expect(drain.responseEnded() == .closeWhenWritten)
  }

  @Test("A response that ends the connection by itself is the last")
  func server() {
    var drain = HTTPDrain()
    drain.requestBegan(keepsAlive: true)
    #expect(drain.responseBegan(saysClose: true) == true)
    #expect(drain.responseEnded() == .closeWhenWritten)
  }

  @Test("A request in flight is answered, and told that it was the last")
  func inFlight() {
    var drain = used()
    drain.requestBegan(keepsAlive: true)
    #expect(drain.drainRequested() == .none)
    #expect(drain.requestEnded() == .none)
    #expect(drain.responseBegan(saysClose: false) == true)
    #expect(drain.responseEnded() == .closeWhenWritten)
    #expect(!drain.hasNoRequest)
  }

  @Test("An idle connection may send one more request")
  func oneMore() {
    var drain = used()
    #expect(drain.drainRequested() == .wait)
    drain.requestBegan(keepsAlive: true)
    #expect(!drain.hasNoRequest)
    #expect(drain.requestEnded() == .none)
    #expect(drain.responseBegan(saysClose: false) == true)
    #expect(drain.responseEnded() == .closeWhenWritten)
  }

  @Test("An idle connection that sends nothing is closed")
  func idle() {
    var drain = used()
    #expect(drain.drainRequested() == .wait)
    #expect(drain.hasNoRequest)
  }

  @Test("The first request of a new connection is waited for")
  func fresh() {
    var drain = HTTPDrain()
    #expect(drain.drainRequested() == .wait)
    drain.requestBegan(keepsAlive: true)
    #expect(!drain.hasNoRequest)
    #expect(drain.responseBegan(saysClose: false) == true)
  }

  @Test("A response that began before the drain has promised one more request")
  func streaming() {
    var drain = HTTPDrain()
    drain.requestBegan(keepsAlive: true)
    #expect(drain.requestEnded() == .none)
    #expect(drain.responseBegan(saysClose: false) == false)
    #expect(drain.drainRequested() == .none)
    #expect(drain.responseEnded() == .wait)
    #expect(drain.hasNoRequest)
  }

  @Test("Of pipelined requests the last one gets the last response")
  func pipelined() {
    var drain = HTTPDrain()
    for _ in 1...3 {
      drain.requestBegan(keepsAlive: true)
      #expect(drain.requestEnded() == .none)
    }
    #expect(drain.drainRequested() == .none)
    for isLast in [false, false, true] {
      #expect(drain.responseBegan(saysClose: false) == isLast)
      #expect(drain.responseEnded() == (isLast ? .closeWhenWritten : .none))
    }
  }

  @Test("A connection whose request is answered early isn't idle before the request has ended")
  func early() {
    var drain = HTTPDrain()
    drain.requestBegan(keepsAlive: true)
    #expect(drain.responseBegan(saysClose: false) == false)
    #expect(drain.responseEnded() == .none)
    #expect(drain.drainRequested() == .none)
    #expect(!drain.hasNoRequest)
    #expect(drain.requestEnded() == .wait)
  }

  @Test("A drain that is asked for twice is one")
  func twice() {
    var drain = used()
    #expect(drain.drainRequested() == .wait)
    #expect(drain.drainRequested() == .none)
  }

  @Test("What comes behind the last response is ignored")
  func behind() {
    var drain = HTTPDrain()
    drain.requestBegan(keepsAlive: false)
    #expect(drain.responseBegan(saysClose: false) == true)
    #expect(drain.responseEnded() == .closeWhenWritten)
    drain.requestBegan(keepsAlive: true)
    #expect(drain.requestEnded() == .none)
    #expect(drain.responseEnded() == .none)
    #expect(drain.drainRequested() == .none)
  }

  /// Every sequence of what can happen on one connection, up to a depth: after the drain it always ends.
  @Test("Whatever has happened, a drained connection is closed, or its next response or request leads to that")
  func always() {
    enum Fact: CaseIterable { case request, lastRequest, requestEnd, response, responseEnd, drain, grace }
    var explored = 0
    func explore(_ drain: HTTPDrain, _ open: Int, _ receiving: Bool, _ writing: Bool, _ draining: Bool, _ depth: Int) {
      explored += 1
      if draining, open == 0, !receiving {
        // Nothing is on its way: the grace that was ordered closes it.
        #expect(drain.hasNoRequest)
      }
      guard depth > 0 else { return }
      for fact in Fact.allCases {
        var drain = drain
        switch fact {
        case .request, .lastRequest:
          if receiving { continue }
          drain.requestBegan(keepsAlive: fact == .request)
          explore(drain, open + 1, true, writing, draining, depth - 1)
        case .requestEnd:
          if !receiving { continue }
          let order = drain.requestEnded()
          #expect(order == (draining && open == 0 ? .wait : .none))
          explore(drain, open, false, writing, draining, depth - 1)
        case .response:
          if open == 0 || writing { continue }
          let isLast = drain.responseBegan(saysClose: false)
          if draining, open == 1 { #expect(isLast) }
          if isLast {
            #expect(open == 1)
            #expect(drain.responseEnded() == .closeWhenWritten)
            continue
          }
          explore(drain, open, receiving, true, draining, depth - 1)
        case .responseEnd:
          if !writing { continue }
          let order = drain.responseEnded()
          #expect(order == (draining && open == 1 && !receiving ? .wait : .none))
          explore(drain, open - 1, receiving, false, draining, depth - 1)
        case .drain:
          if draining { continue }
          _ = drain.drainRequested()
          explore(drain, open, receiving, writing, true, depth - 1)
        case .grace:
          if open > 0 || receiving { #expect(!drain.hasNoRequest) }
        }
      }
    }
    explore(HTTPDrain(), 0, false, false, false, 10)
    #expect(explored > 1000)
  }
}
