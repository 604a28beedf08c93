import Glibc

enum Datagram {
  /// Sends one datagram to a unix socket: a path, or an abstract address that begins with '@' (sd_notify(3)).
  static func send(_ bytes: [UInt8], to name: String) throws(WorkerError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var path = Array(name.utf8)
    guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { throw .notify(errno: ENAMETOOLONG) }
    if path.first == UInt8(ascii: "@") { path[0] = 0 } else { path.append(0) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)

    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .notify(errno: errno) }
    defer { close(descriptor) }
    let sent = withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
      }
    }
    guard sent == bytes.count else { throw .notify(errno: errno) }
  }
}
