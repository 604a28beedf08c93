import Glibc
import RoostConfiguration

/// Why a connection couldn't be made (errno(3)).
package struct ConnectFailure: Error {
  package let number: Int32
}

/// Where clients connect.
package struct TrialAddress: Sendable {
  fileprivate let address: SocketAddress

  /// Connects. The socket is the caller's to close; each wait on it ends after this time.
  package func connect(patience: Duration) throws(ConnectFailure) -> Int32 {
    let number = socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard number >= 0 else { throw ConnectFailure(number: errno) }
    let milliseconds = patience.wholeMilliseconds
    var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    guard address.connect(number) else {
      defer { close(number) }
      throw ConnectFailure(number: errno)
    }
    return number
  }
}

package final class TrialListener {
  /// What has become of a listener.
  package enum State: Hashable, Sendable {
    case open
    /// shutdown(2) was called on it.
    case shutDown
    /// The file of its unix socket is gone.
    case unlinked
    /// There is another file in its place.
    case replaced
  }

  let listener: Listener
  /// The limit of its accept queue when it was opened.
  package let initialLimit: Int?
  /// Where to connect to it; nil if it is for datagrams.
  package let address: TrialAddress?
  /// Where to connect to it over IPv4 if it takes IPv6 and IPv4; `address` is the one for IPv6.
  package let addressOverIPv4: TrialAddress?

  /// The address that it was to have and that is taken, as the operator wrote it; nil if it has the address that it was
  /// to have.
  package let takenAddress: String?

  init(_ listener: Listener, wanted: ListenerConfiguration) {
    self.listener = listener
    takenAddress = listener.configuration.address == wanted.address ? nil : "\(wanted.name)=\(wanted.address)"
    address =
      listener.isDatagram ? nil : SocketAddress.local(of: listener.descriptor).map(TrialAddress.init(address:))
    addressOverIPv4 = Self.addressOverIPv4(of: listener)
    initialLimit = listener.queue.now?.limit
  }

  private static func addressOverIPv4(of listener: Listener) -> TrialAddress? {
    guard !listener.isDatagram, let own = SocketAddress.local(of: listener.descriptor), own.isAnyIPv6,
      let port = own.port, listener.descriptor.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) == 0
    else { return nil }
    return TrialAddress(address: SocketAddress(.ipv4("127.0.0.1"), port: port))
  }

  /// Name and address.
  package var title: String { listener.title }

  /// Name and address of one for IPv4 alone in its place; nil if it isn't a listener for IPv6 and IPv4.
  package var titleOverIPv4: String? {
    guard addressOverIPv4 != nil, case .tcp(_, let port) = listener.configuration.address else { return nil }
    return "\(listener.configuration.name)=0.0.0.0:\(port)"
  }

  /// How many connections wait to be accepted, and how many can; nil if it is for datagrams.
  package var queue: (queued: Int, limit: Int)? {
    listener.sampleQueue()
    return listener.isDatagram ? nil : listener.queue.now.map { ($0.queued, $0.limit) }
  }

  /// What has become of it. For a unix socket finding out takes a connection, which is closed at once.
  package var state: State {
    switch listener.socketFile?.presence {
    case .gone: return .unlinked
    case .another: return .replaced
    case .there, .unknown, nil: break
    }
    guard let address else { return .open }
    // A connection might be the last one that a faulty worker takes.
    guard address.address.family == AF_UNIX else {
      return listener.descriptor.get(SOL_SOCKET, SO_ACCEPTCONN) == 0 ? .shutDown : .open
    }
    do {
      close(try address.connect(patience: .seconds(1)))
      return .open
    } catch {
      // A full queue is still a queue.
      return error.number == ECONNREFUSED ? .shutDown : .open
    }
  }
}
