/// The sockets of this network namespace that have a port (`/proc/net/tcp` and the like in proc_pid_net(5)).
package enum BoundSockets {
  /// The inodes of those that listen at a TCP port, or take datagrams at a UDP port, at whatever address of this machine. The
  /// kernel lists those that listen first, so that it doesn't matter that only the beginning of a long table is read.
  package static func inodes(atPort port: UInt16, areDatagram: Bool) -> Set<UInt64> {
    let names = areDatagram ? ["udp", "udp6"] : ["tcp", "tcp6"]
    let tables = names.compactMap { ProcessFile.contents("/proc/self/net/\($0)") }
    return Set(tables.flatMap { inodes(parsing: $0, atPort: port, areDatagram: areDatagram) })
  }

  /// Reads lines such as `0: 0100007F:1F90 00000000:0000 0A … 0 0 54321 …`, after one of headings.
  package static func inodes(parsing content: ArraySlice<UInt8>, atPort port: UInt16, areDatagram: Bool) -> Set<UInt64>
  {
    // TCP_LISTEN, and TCP_CLOSE for what isn't connected.
    let state: UInt64 = areDatagram ? 0x07 : 0x0a
    var inodes: Set<UInt64> = []
    for line in content.lines.dropFirst() {
      let words = line.words
      guard words.count > 9, hexadecimal(words[3]) == state,
        let colon = words[1].lastIndex(of: UInt8(ascii: ":")),
        hexadecimal(words[1][(colon + 1)...]) == UInt64(port),
        // 0 for one that no process has.
        let inode = words[9].number(radix: 10), inode != 0
      else { continue }
      inodes.insert(inode)
    }
    return inodes
  }

  /// These tables have capital letters.
  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
    digits.map { $0 | 0x20 }[...].number(radix: 16)
  }
}
