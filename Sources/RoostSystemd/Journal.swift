import Glibc

/// The system's journal, by its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL). libsystemd's own function
/// waits if journald doesn't read: one that is stopped, or overrun by others, would stop this process.
package final class Journal: Sendable {
  private static let path = "/run/systemd/journal/socket"
  /// No more of a field than this is sent: everything has to fit into one datagram.
  private static let maximumLength = 16384

  private let number: Int32

  /// The journal, or nil if there is none.
  package init?() {
    number = socket(
      AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
    guard number >= 0 else { return nil }
    guard Self.connect(number) else {
      close(number)
      return nil
    }
  }

  deinit {
    close(number)
  }

  private static func connect(_ number: Int32) -> Bool {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
  }

  /// Sends one entry of fields. Returns whether it was sent: it is dropped if that would have to wait.
  package func send(_ fields: [(name: String, value: String)]) -> Bool {
    let entry = fields.flatMap(Self.bytes)
    if attempt(entry) { return true }
    // Its socket may have been recreated since.
    guard errno == ECONNREFUSED || errno == ENOTCONN, Self.connect(number) else { return false }
    return attempt(entry)
  }

  private func attempt(_ entry: [UInt8]) -> Bool {
    var count: Int
    repeat {
      count = Glibc.send(number, entry, entry.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    } while count < 0 && errno == EINTR
    return count == entry.count
  }

  /// `NAME=value` and a newline. A value with newlines follows its name and its length, in eight bytes, the lowest first.
  static func bytes(ofField name: String, _ value: String) -> [UInt8] {
    var value = Array(value.utf8)
    if value.count > maximumLength {
      // Whole characters, which begin at bytes that don't continue one.
      var end = maximumLength
      while end > 0, value[end] & 0xc0 == 0x80 { end -= 1 }
      value.removeSubrange(end...)
    }
    guard value.contains(UInt8(ascii: "\n")) else { return Array(name.utf8) + [UInt8(ascii: "=")] + value + [0x0a] }
    let length = UInt64(value.count)
    return Array(name.utf8) + [0x0a] + (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + value + [0x0a]
  }
}
