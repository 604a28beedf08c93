/// What an epoll set watches, as `/proc/PID/fdinfo/N` shows it (proc_pid_fdinfo(5)).
package struct EpollSet: Hashable, Sendable {
  /// EPOLLIN: there is something to read or accept. A one-shot registration that has gone off lacks it.
  private static let readable: UInt64 = 0x001

  /// The files for which reading is awaited, sockets among them.
  package let awaited: Set<SocketIdentity>

  /// Reads lines such as `tfd:        5 events:       19 data:                5  pos:0 ino:b9862 sdev:9`. Anything else
  /// is skipped.
  package init(parsing content: ArraySlice<UInt8>) {
    var awaited: Set<SocketIdentity> = []
    for line in content.lines where line.after("tfd:") != nil {
      let words = line.words
      guard let events = Self.number("events:", in: words), events & Self.readable != 0,
        let inode = Self.number("ino:", in: words), let device = Self.number("sdev:", in: words)
      else { continue }
      awaited.insert(SocketIdentity(device: device, inode: inode))
    }
    self.awaited = awaited
  }

  /// The hexadecimal number after a name, in the same word or in the next one.
  private static func number(_ name: StaticString, in words: [ArraySlice<UInt8>]) -> UInt64? {
    for (index, word) in words.enumerated() {
      guard let rest = word.after(name) else { continue }
      if !rest.isEmpty { return rest.number(radix: 16) }
      return words.indices.contains(index + 1) ? words[index + 1].number(radix: 16) : nil
    }
    return nil
  }
}
