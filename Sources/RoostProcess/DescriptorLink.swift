/// What `/proc/PID/fd/N` points to (proc_pid_fd(5)).
package enum DescriptorLink: Hashable, Sendable {
  /// A socket of this inode.
  case socket(inode: UInt64)
  /// An epoll set (epoll(7)).
  case epollSet
  /// An io_uring (io_uring(7)).
  case ring
  /// Anything else.
  case other

  package init(parsing text: ArraySlice<UInt8>) {
    if let rest = text.after("socket:["), rest.last == UInt8(ascii: "]"), let inode = rest.dropLast().number(radix: 10)
    {
      self = .socket(inode: inode)
    } else if text.elementsEqual("anon_inode:[eventpoll]".utf8) {
      self = .epollSet
    } else if text.elementsEqual("anon_inode:[io_uring]".utf8) {
      self = .ring
    } else {
      self = .other
    }
  }
}
