import CRoostProcess
import Glibc

/// Looks in /proc for processes that accept on sockets. What they do may make whoever looks wait, for ever: memory that another
/// process provides, locks that a process holds while a file system hangs.
public struct Observer {
  /// What came of a look.
  public struct Sighting: Hashable, Sendable {
    /// The sockets on which somebody was seen to accept.
    public fileprivate(set) var accepted: Set<SocketIdentity>
    /// The error with which the kernel refused to let a process be looked at, if it did.
    public fileprivate(set) var refusal: Int32?

    /// What came of a look of another process.
    public init(accepted: Set<SocketIdentity> = [], refusal: Int32? = nil) {
      self.accepted = accepted
      self.refusal = refusal
    }
  }

  /// More descriptors or threads of a process aren't looked at.
  private static let maximumCount = 4096

  private let wanted: Set<SocketIdentity>
  private let inodes: [UInt64: SocketIdentity]
  private var sighting = Sighting()

  /// Looks whether a process or a descendant of it accepts on some of these sockets.
  public static func look(at root: pid_t, for wanted: Set<SocketIdentity>) -> Sighting {
    var observer = Observer(wanted)
    for pid in ProcessTree.pids(below: root) {
      observer.look(at: pid)
      if observer.sighting.accepted.count == wanted.count { break }
    }
    return observer.sighting
  }

  private init(_ wanted: Set<SocketIdentity>) {
    self.wanted = wanted
    inodes = Dictionary(wanted.map { ($0.inode, $0) }, uniquingKeysWith: { first, _ in first })
  }

  private mutating func look(at pid: pid_t) {
    let folder = "/proc/\(pid)/fd"
    guard let numbers = ProcessFile.numbers(in: folder, atMost: Self.maximumCount) else { return refused(errno) }
    var held: [Int32: SocketIdentity] = [:]
    var sockets: [Int32: UInt64] = [:]
    var rings: [Ring] = []
    for number in numbers {
      guard let text = ProcessFile.link("\(folder)/\(number)") else { continue }
      switch DescriptorLink(parsing: text) {
      case .socket(let inode):
        sockets[number] = inode
        if let socket = inodes[inode] { held[number] = socket }
      case .epollSet:
        guard let content = information(of: number, of: pid) else { continue }
        sighting.accepted.formUnion(EpollSet(parsing: content).awaited.intersection(wanted))
      case .ring:
        if let content = information(of: number, of: pid) { rings.append(Ring(parsing: content)) }
      case .other: break
      }
    }
    look(at: rings, of: pid, sockets)
    if !held.isEmpty { lookAtThreads(of: pid, held) }
  }

  private mutating func information(of number: Int32, of pid: pid_t) -> ArraySlice<UInt8>? {
    ProcessFile.contents("/proc/\(pid)/fdinfo/\(number)")
  }

  /// A process that has ended, or ends while it is looked at, isn't forbidden to be looked at.
  private mutating func refused(_ error: Int32) {
    if error == EACCES || error == EPERM { sighting.refusal = error }
  }

  // MARK: Threads that wait in a system call

  private mutating func lookAtThreads(of pid: pid_t, _ held: [Int32: SocketIdentity]) {
    guard let threads = ProcessFile.numbers(in: "/proc/\(pid)/task", atMost: Self.maximumCount) else {
      return refused(errno)
    }
    for thread in threads {
      let path = "/proc/\(pid)/task/\(thread)/syscall"
      guard let before = ProcessFile.contents(path) else {
        refused(errno)
        continue
      }
      guard let call = BlockedCall(parsing: before) else { continue }
      let awaited = awaited(by: call, of: pid)
      let found = awaited.compactMap { held[$0] }
      // A thread that has left the call meanwhile may have changed the memory: then this was no sighting.
      if !found.isEmpty, ProcessFile.contents(path) == before { sighting.accepted.formUnion(found) }
    }
  }

  private mutating func awaited(by call: BlockedCall, of pid: pid_t) -> Set<Int32> {
    switch roost_classify_call(call.number) {
    case ROOST_CALL_ACCEPT: return [Int32(truncatingIfNeeded: call.arguments[0])]
    case ROOST_CALL_POLL:
      let count = Int(min(call.arguments[1], UInt64(AwaitedDescriptors.maximumCount)))
      return AwaitedDescriptors.polled(memory(call.arguments[0], count * AwaitedDescriptors.entrySize, of: pid))
    case ROOST_CALL_SELECT:
      let count = Int(min(call.arguments[0] & 0xffff_ffff, UInt64(AwaitedDescriptors.maximumCount)))
      let set = AwaitedDescriptors.selected(memory(call.arguments[1], (count + 7) / 8, of: pid))
      return set.filter { $0 < count }
    default: return []
    }
  }

  private mutating func memory(_ address: UInt64, _ size: Int, of pid: pid_t) -> ArraySlice<UInt8> {
    guard address != 0, size > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: size)
    let count = roost_read_memory(pid, UInt(address), &bytes, size)
    if count < 0 { refused(errno) }
    return bytes[..<max(0, count)]
  }

  // MARK: Rings

  /// The kernel tells that a ring accepts, and not on which socket: that is known only where the process has but one
  /// that listens.
  private mutating func look(at rings: [Ring], of pid: pid_t, _ sockets: [Int32: UInt64]) {
    guard rings.contains(where: \.accepts) else { return }
    var candidates = rings.reduce(into: Set<UInt64>()) { $0.formUnion($1.registered) }
    candidates.formUnion(sockets.values)
    var listening = [UInt64](repeating: 0, count: Self.maximumCount)
    let count = roost_listening_sockets(&listening, listening.count)
    let own = candidates.intersection(listening.prefix(max(0, count)))
    if count >= 0, own.count == 1, let inode = own.first, let socket = inodes[inode] {
      sighting.accepted.insert(socket)
    }
  }
}
