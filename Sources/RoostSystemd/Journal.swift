import CRoostSystemd
import Glibc

/// The system's journal (sd_journal_sendv(3)).
public final class Journal: Sendable {
  /// A socket of our own to where libsystemd sends: it tells whether sending would have to wait.
  private let probe: Int32

  /// The journal, or nil where there is none.
  public init?() {
    probe = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = Array("/run/systemd/journal/socket".utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
    guard isConnected else {
      close(probe)
      return nil
    }
  }

  deinit {
    close(probe)
  }

  /// Sends one entry of assignments `FIELD=value`. It is dropped where the journal doesn't read: libsystemd would wait.
  public func send(_ assignments: [String]) {
    var poll = pollfd(fd: probe, events: Int16(POLLOUT), revents: 0)
    guard Glibc.poll(&poll, 1, 0) == 1, poll.revents & Int16(POLLOUT) != 0 else { return }
    let strings = assignments.map { strdup($0) }
    defer { for string in strings { free(string) } }
    let parts = strings.map { iovec(iov_base: $0, iov_len: strlen($0!)) }
    sd_journal_sendv(parts, Int32(parts.count))
  }
}
