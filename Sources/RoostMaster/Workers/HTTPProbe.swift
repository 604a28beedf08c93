import CRoostMaster
import Glibc
import RoostContract
import RoostSystemd

/// One question to a worker: an HTTP request, of whose answer only the status is read.
final class HTTPProbe {
  /// What follows the status is read and thrown away, so that the worker can write all of it. More than this isn't
  /// read.
  private static let maximumRest = 65536

  private let descriptor: Descriptor
  private var source: Source?
  private var request: [UInt8]
  private var answer: [UInt8] = []
  private var rest = 0
  private var answered: ((Result<Int, MasterError>) -> Void)?

  /// Whether there is nothing more to read.
  private(set) var isOver = false

  /// Connects to a listener, and asks. Calls the handler once.
  init(
    _ address: SocketAddress, path: String, in loop: EventLoop,
    _ answered: @escaping (Result<Int, MasterError>) -> Void
  ) throws(MasterError) {
    guard let socket = Descriptor.socket(address.family, SOCK_STREAM) else {
      throw MasterError(cannot: "make a socket for the probe")
    }
    descriptor = socket
    roost_keep_in_line(descriptor.number)
    request = Array(
      "GET \(path) HTTP/1.1\r\nHost: localhost\r\nUser-Agent: roost\r\nAccept: */*\r\nConnection: close\r\n\r\n".utf8)
    self.answered = answered
    guard address.connect(descriptor) || errno == EINPROGRESS else {
      throw MasterError(cannot: "connect for the probe")
    }
    do {
      source = try loop.on(.writable, of: descriptor.number, priority: .normal) { [unowned self] in act() }
    } catch {
      throw MasterError("\(error)")
    }
  }

  deinit {
    source = nil  // before the descriptor is closed (`Source`)
    descriptor.shutDown()
  }

  private func act() {
    if !request.isEmpty { send() } else { receive() }
  }

  private func send() {
    let count = Glibc.send(descriptor.number, request, request.count, Int32(MSG_NOSIGNAL))
    if count < 0 {
      if errno != EAGAIN, errno != EINTR { end(.failure(MasterError(cannot: "ask"))) }
      return
    }
    request.removeFirst(count)
    if request.isEmpty { source?.setInterest(.readable) }
  }

  private func receive() {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = Stream.receive(descriptor.number, into: &buffer)
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    if count <= 0 {
      return end(.failure(count < 0 ? MasterError(cannot: "read the answer") : MasterError("it closed the connection")))
    }
    guard answered != nil else {
      rest += count
      if rest > Self.maximumRest { end(nil) }
      return
    }
    answer += buffer[..<count]
    switch ProbeResponse(parsing: answer[...]) {
    case .incomplete: break
    case .status(let status): tell(.success(status))
    case .malformed: end(.failure(MasterError("its answer isn't HTTP")))
    }
  }

  private func end(_ result: Result<Int, MasterError>?) {
    source = nil
    isOver = true
    if let result { tell(result) }
  }

  private func tell(_ result: Result<Int, MasterError>) {
    let handler = answered
    answered = nil
    handler?(result)
  }
}
