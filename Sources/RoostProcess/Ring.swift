/// What an io_uring does, as `/proc/PID/fdinfo/N` shows it.
package struct Ring: Hashable, Sendable {
  /// IORING_OP_ACCEPT
  private static let accept: UInt64 = 13

  /// The inodes of the sockets that are registered with it.
  package let registered: Set<UInt64>
  /// Whether a request to accept waits for a connection. The kernel doesn't show on which socket.
  package let accepts: Bool
  /// Whether the kernel showed nothing of it: another thread was changing it just then.
  package let isHidden: Bool

  /// Reads lines such as `    0: socket:[760905]` and `  op=13, task_works=0`. Anything else is skipped.
  package init(parsing content: ArraySlice<UInt8>) {
    var registered: Set<UInt64> = []
    var accepts = false
    var isHidden = true
    for line in content.lines {
      let words = line.words
      guard words.count == 2 else { continue }
      if words[0].elementsEqual("UserFiles:".utf8) { isHidden = false }
      if words[0].last == UInt8(ascii: ":"), words[0].dropLast().number(radix: 10) != nil,
        case .socket(let inode) = DescriptorLink(parsing: words[1])
      {
        registered.insert(inode)
      } else if let operation = words[0].after("op="), operation.last == UInt8(ascii: ","),
        operation.dropLast().number(radix: 10) == Self.accept
      {
        accepts = true
      }
    }
    self.registered = registered
    self.accepts = accepts
    self.isHidden = isHidden
  }
}
