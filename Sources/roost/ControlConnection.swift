import Foundation
import Glibc
import RoostControl
import RoostJSON

/// Why it isn't possible to talk to a master.
enum ControlError: Error {
  case notRunning
  case notPermitted
  /// It has ended the connection.
  case gone
  case timedOut
  /// It has answered with an error of Varlink.
  case refused(String)
  case other(String)
}

/// A connection to a master's control socket.
final class ControlConnection {
  /// Anything longer isn't a reply.
  private static let maximumReply = 16 << 20

  private let number: Int32
  private var input: [UInt8] = []
  /// How much of it was looked at without finding the end of a reply.
  private var scanned = 0
  /// Whether there was a reply that more will follow: the master has taken the call.
  private var hasBegun = false

  /// Connects to the socket in a directory. The timeout also applies to sending.
  init(directory: String, timeout: TimeInterval = 10) throws(ControlError) {
    number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { throw .other("cannot make a socket: \(String(cString: strerror(errno)))") }
    // It holds for connect(2) too, which waits if the accept queue is full: a master that hangs mustn't hang this.
    var limit = timeval(
      tv_sec: Int(timeout), tv_usec: max(1, Int(timeout.truncatingRemainder(dividingBy: 1) * 1_000_000)))
    setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let path = "\(directory)/\(ControlPlace.socketName)"
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { throw fail(ENAMETOOLONG, path) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { throw fail(errno, path) }
  }

  deinit {
    close(number)
  }

  private func fail(_ error: Int32, _ path: String) -> ControlError {
    switch error {
    case ENOENT, ECONNREFUSED, ENOTDIR: .notRunning
    case EACCES, EPERM: .notPermitted
    case EAGAIN: .timedOut
    default: .other("cannot connect to \(path): \(String(cString: strerror(error)))")
    }
  }

  func send(_ call: VarlinkCall) throws(ControlError) {
    var rest = Varlink.bytes(of: call.json)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      // What it said before it hung up, for example that it is busy, can still be read.
      if count < 0, errno == EPIPE || errno == ECONNRESET { return }
      guard count > 0 else { throw errno == EAGAIN ? .timedOut : .gone }
      rest = rest.dropFirst(count)
    }
  }

  /// The next reply; nil if none comes in time.
  func reply(until deadline: Date?) throws(ControlError) -> VarlinkReply? {
    while true {
      if let end = input[scanned...].firstIndex(of: Varlink.terminator) {
        let message = input[..<end]
        input = Array(input[(end + 1)...])
        scanned = 0
        guard let reply = VarlinkReply(parsing: message) else { throw .other("the master's reply can't be read") }
        if reply.error == VarlinkService.permissionDenied { throw .notPermitted }
        if reply.error == ControlInterface.busy {
          throw .other(
            hasBegun
              ? "this command had to make room for other clients; what it waited for continues: see 'roost status'"
              : "too many clients are connected to the control socket: try again in a moment")
        }
        hasBegun = reply.continues
        return reply
      }
      scanned = input.count
      let wait = deadline.map { min(max(0, $0.timeIntervalSinceNow * 1000), 3_600_000) }
      var poll = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      let ready = Glibc.poll(&poll, 1, wait.map { Int32($0.rounded(.up)) } ?? -1)
      if ready < 0, errno == EINTR { continue }
      if ready == 0 { return nil }
      var buffer = [UInt8](repeating: 0, count: 65536)
      let count = read(number, &buffer, buffer.count)
      guard count > 0, input.count < Self.maximumReply else { throw .gone }
      input += buffer[..<count]
    }
  }

  /// Sends a call that has one reply, and returns what is in it.
  func call(
    _ method: String, _ parameters: JSON = [:], timeout: TimeInterval = 10
  ) throws(ControlError) -> JSON {
    try send(VarlinkCall(method: method, parameters: parameters))
    guard let reply = try reply(until: Date(timeIntervalSinceNow: timeout)) else { throw .timedOut }
    if let error = reply.error { throw .refused(error) }
    return reply.parameters
  }
}

extension ControlConnection {
  /// How the service is; and as the master says it, which may be more.
  func status(timeout: TimeInterval = 10) throws(ControlError) -> (ServiceStatus, json: JSON) {
    let json = try call(ControlInterface.status, timeout: timeout)["service"] ?? .null
    return (try json.answer(), json)
  }
}

/// What a master says.
extension JSON {
  /// All of an answer.
  func answer<Answer: Decodable>(as type: Answer.Type = Answer.self) throws(ControlError) -> Answer {
    do {
      return try decode(type)
    } catch {
      throw .other("the master's reply can't be understood: \(JSON.reason(error))")
    }
  }

  /// The value of this name, if it is one of this type.
  func member<Value: Decodable>(_ name: String, _ type: Value.Type = Value.self) -> Value? {
    try? self[name]?.decode(type)
  }
}
