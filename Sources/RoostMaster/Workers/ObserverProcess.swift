import CRoostSpawn
import Glibc
import RoostProcess
import RoostSystemd

/// A copy of the master that looks at workers in its place. A look may have to wait: for memory that a worker lets
/// another process provide (userfaultfd(2), FUSE), for a worker that closes a file while it executes a program, for an
/// epoll set that contains a file of such a file system.
final class ObserverProcess {
  private let pid: pid_t
  private let socket: Descriptor
  private var source: Source?

  init() throws(MasterError) {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw MasterError(cannot: "make a pair of sockets") }
    socket = Descriptor(adopting: ends[0])
    let other = Descriptor(adopting: ends[1])
    pid = roost_fork(other.number)
    if pid == 0 { Self.serve(other.number) }
    guard pid > 0 else { throw MasterError(cannot: "create a process") }
    OwnProcesses.began(pid)
  }

  // Before the descriptor is closed (`Source`).
  deinit { source = nil }

  /// Calls the handler with each answer, in the order of the questions, and with nil when it has ended.
  func watch(in loop: EventLoop, _ handler: @escaping (Observer.Sighting?) -> Void) throws(SystemdError) {
    // Before the timer that would give it up.
    source = try loop.onReadable(socket.number, priority: .normal) { [unowned self] in
      var words = [UInt64](repeating: 0, count: Self.maximumWords)
      let count = recv(socket.number, &words, words.count * 8, Int32(MSG_DONTWAIT))
      if count < 0, errno == EAGAIN || errno == EINTR { return }
      handler(count > 0 ? Self.sighting(words[..<(count / 8)]) : nil)
    }
  }

  /// Makes it look whether a process, or a descendant of it, accepts on some of these sockets. One question at a time.
  /// Returns whether it could be asked.
  func ask(_ root: pid_t, _ wanted: Set<SocketIdentity>) -> Bool {
    let words = [UInt64(root)] + Self.words(wanted)
    return send(socket.number, words, words.count * 8, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) >= 0
  }

  /// Ends it, if the kernel lets it.
  func kill() { OwnProcesses.kill(pid) }

  // MARK: In the process

  private static func serve(_ socket: Int32) -> Never {
    var words = [UInt64](repeating: 0, count: maximumWords)
    while true {
      let count = recv(socket, &words, words.count * 8, 0)
      if count < 0, errno == EINTR { continue }
      // Nothing that the copy has is its own to give up.
      guard count > 0, let root = pid_t(exactly: words[0]) else { _exit(0) }
      let sighting = Observer.look(at: root, for: identities(words[1..<(count / 8)]))
      let answer = [UInt64(sighting.refusal ?? 0)] + Self.words(sighting.accepted)
      guard send(socket, answer, answer.count * 8, Int32(MSG_NOSIGNAL)) >= 0 else { _exit(1) }
    }
  }

  // MARK: Messages: a number, and sockets

  /// No worker has more sockets than a message has room for: it has at most as many descriptors.
  private static let maximumWords = 8192

  private static func words(_ sockets: Set<SocketIdentity>) -> [UInt64] { sockets.flatMap { [$0.device, $0.inode] } }

  private static func identities(_ words: ArraySlice<UInt64>) -> Set<SocketIdentity> {
    let words = Array(words)
    return Set(
      stride(from: 0, to: words.count - 1, by: 2).map { SocketIdentity(device: words[$0], inode: words[$0 + 1]) })
  }

  private static func sighting(_ words: ArraySlice<UInt64>) -> Observer.Sighting {
    let refusal = words.first.flatMap { $0 == 0 ? nil : Int32(truncatingIfNeeded: $0) }
    return Observer.Sighting(accepted: identities(words.dropFirst()), refusal: refusal)
  }
}
