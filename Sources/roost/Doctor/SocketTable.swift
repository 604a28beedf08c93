import Foundation
import Glibc

/// The sockets of this network namespace that listen (proc_pid_net(5)).
struct SocketTable {
  /// Where each listens, by inode.
  private let places: [UInt64: String]

  /// As they are now.
  init() {
    var places: [UInt64: String] = [:]
    for name in ["tcp", "tcp6"] {
      for line in Self.lines(of: name) {
        // sl, local address, remote address, state (0A: it listens), …, inode
        let words = line.split(separator: " ")
        guard words.count > 9, words[3] == "0A", let inode = UInt64(words[9]) else { continue }
        places[inode] = Self.place(words[1])
      }
    }
    for line in Self.lines(of: "unix") {
      // number, reference count, protocol, flags (__SO_ACCEPTCON: it listens), type, state, inode, path
      let words = line.split(separator: " ", maxSplits: 7)
      guard words.count > 6, let flags = UInt32(words[3], radix: 16), flags & 0x10000 != 0, let inode = UInt64(words[6])
      else { continue }
      places[inode] = "unix:" + (words.count > 7 ? words[7] : "?")
    }
    self.places = places
  }

  private static func lines(of name: String) -> [Substring] {
    let content = FileManager.default.contents(atPath: "/proc/net/\(name)") ?? Data()
    return String(decoding: content, as: UTF8.self).split(separator: "\n").dropFirst().map { $0 }
  }

  /// `0100007F:1F90`: words of the address in the machine's order of bytes, then the port.
  private static func place(_ text: Substring) -> String {
    let parts = text.split(separator: ":")
    guard parts.count == 2, let port = UInt16(parts[1], radix: 16) else { return "?" }
    var bytes: [UInt8] = []
    var rest = parts[0]
    while let word = UInt32(rest.prefix(8), radix: 16) {
      withUnsafeBytes(of: word) { bytes += $0 }
      rest = rest.dropFirst(8)
    }
    let family = bytes.count == 4 ? AF_INET : AF_INET6
    var host = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard bytes.count == 4 || bytes.count == 16, inet_ntop(family, bytes, &host, socklen_t(host.count)) != nil else {
      return "port \(port)"
    }
    let name = host.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return family == AF_INET ? "\(name):\(port)" : "[\(name)]:\(port)"
  }

  /// Where these processes listen with sockets other than those.
  func places(of pids: [pid_t], except inodes: [UInt64]) -> [String] {
    var found: Set<UInt64> = []
    for pid in pids {
      let folder = "/proc/\(pid)/fd"
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
        guard let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)"),
          link.hasPrefix("socket:["), let inode = UInt64(link.dropFirst(8).dropLast())
        else { continue }
        found.insert(inode)
      }
    }
    return found.subtracting(inodes).compactMap { places[$0] }.sorted()
  }
}
