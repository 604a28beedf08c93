import Glibc

/// One of the streams that this process was started with, written to without ever waiting. A positive answer from
/// poll(2) is not enough: other processes write to the same pipe.
package struct StandardStream: ~Copyable, Sendable {
  /// How to write without waiting. The stream's own O_NONBLOCK flag isn't ours to set: it is shared with every process
  /// that holds the stream.
  private enum Way: Sendable {
    /// Through an open file of our own, which has the flag.
    case own(Int32)
    /// By a flag of the call.
    case socket
    /// As far as poll(2) promises it: a regular file never waits, and no more is known about a pipe that can't be
    /// opened.
    case polled
  }

  /// What was written, and what becomes of the rest.
  package enum Outcome: Equatable, Sendable {
    /// This many bytes.
    case written(Int)
    /// Nothing can be written now.
    case full
    /// It couldn't be written (errno(3)): there is no reader any more, or, for now, a disk is full or a file at its
    /// limit.
    case failed(Int32)
  }

  /// What a pipe takes at once if it takes anything (PIPE_BUF in pipe(7)).
  package static let part = 4096

  /// Its descriptor.
  package let number: Int32
  package let isTerminal: Bool
  private let way: Way

  /// The stream of this descriptor, which stays open.
  package init(_ number: Int32) {
    self.number = number
    isTerminal = isatty(number) == 1
    way = Self.way(number, isTerminal: isTerminal)
  }

  deinit {
    if case .own(let own) = way { close(own) }
  }

  private static func way(_ number: Int32, isTerminal: Bool) -> Way {
    var status = stat()
    guard fstat(number, &status) == 0 else { return .polled }
    let kind = status.st_mode & S_IFMT
    if kind == S_IFSOCK { return .socket }
    // A regular file must not be opened again: it would be written to from its beginning.
    guard kind == S_IFIFO || isTerminal else { return .polled }
    let own = open("/proc/self/fd/\(number)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    return own >= 0 ? .own(own) : .polled
  }

  /// Writes what is taken at once, at most `part` bytes: less is written to a pipe as a whole or not at all.
  package func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    let length = min(bytes.count, Self.part)
    while true {
      let count =
        switch way {
        case .own(let own): Glibc.write(own, bytes.baseAddress, length)
        case .socket: send(number, bytes.baseAddress, length, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        case .polled: writePolled(bytes, length)
        }
      if count >= 0 { return .written(count) }
      if errno == EAGAIN { return .full }
      if errno != EINTR { return .failed(errno) }
    }
  }

  private func writePolled(_ bytes: UnsafeRawBufferPointer, _ length: Int) -> Int {
    var poll = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    guard Glibc.poll(&poll, 1, 0) == 1 else {
      errno = EAGAIN
      return -1
    }
    guard poll.revents & Int16(POLLOUT) != 0 else {
      errno = EPIPE
      return -1
    }
    return Glibc.write(number, bytes.baseAddress, length)
  }
}
