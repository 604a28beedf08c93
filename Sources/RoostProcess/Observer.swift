import CRoostProcess
import Glibc

/// Looks in /proc for processes that accept on sockets. What they do may make a look wait for ever: memory that another
/// process provides, locks that a process holds while a file system hangs.
package struct Observer {
  /// The result of a look.
  package struct Sighting: Hashable, Sendable {
    /// The sockets on which a process was seen to accept.
    package fileprivate(set) var accepted: Set<SocketIdentity>
    /// The error with which the kernel refused to let a process be looked at, if it did.
    package fileprivate(set) var refusal: Int32?

    package init(accepted: Set<SocketIdentity> = [], refusal: Int32? = nil) {
      self.accepted = accepted
      self.refusal = refusal
    }
  }

  /// The result of a look at all that some processes have open.
  struct Survey {
    /// The sockets on which a process that has them open was seen to accept.
    fileprivate(set) var accepted: Set<SocketIdentity> = []
    /// The inodes of all sockets that are open, in the order of the processes and of their descriptors.
    fileprivate(set) var open: [UInt64] = []
    /// Whether there are no others.
    fileprivate(set) var isComplete = true
  }

  /// No more descriptors or threads of a process than this are looked at, nor more descriptors in a survey.
  private static let maximumCount = 4096
  private static let surveyCount = 65536

  private let wanted: Set<SocketIdentity>
  private let inodes: [UInt64: SocketIdentity]
  private var sighting = Sighting()
  /// The result, if this is a survey.
  private var survey: Survey?

  /// Looks whether a process or a descendant of it accepts on some of these sockets.
  package static func look(at root: pid_t, for wanted: Set<SocketIdentity>) -> Sighting {
    var observer = Observer(wanted)
    for pid in ProcessTree.pids(below: root) {
      observer.look(at: pid)
      if observer.sighting.accepted.count == wanted.count { break }
    }
    return observer.sighting
  }

  /// Looks at what these processes have open, and whether they accept on some of these sockets. One that is stopped
  /// doesn't.
  static func survey(_ pids: [pid_t], for wanted: Set<SocketIdentity>) -> Survey {
    var observer = Observer(wanted)
    observer.survey = Survey()
    for pid in pids {
      observer.sighting = Sighting()
      observer.look(at: pid)
      if ProcessFacts(of: pid)?.isStopped == false {
        observer.survey?.accepted.formUnion(observer.sighting.accepted)
      }
    }
    return observer.survey ?? Survey()
  }

  private init(_ wanted: Set<SocketIdentity>) {
    self.wanted = wanted
    inodes = Dictionary(wanted.map { ($0.inode, $0) }, uniquingKeysWith: { first, _ in first })
  }

  private mutating func look(at pid: pid_t) {
    let limit = survey == nil ? Self.maximumCount : Self.surveyCount
    guard let (folder, numbers) = OpenSockets.descriptors(of: pid, atMost: limit) else { return hidden(errno, pid) }
    if numbers.count == limit { survey?.isComplete = false }
    var held: [Int32: SocketIdentity] = [:]
    var sockets: [Int32: UInt64] = [:]
    var rings: [Ring] = []
    var awaited: Set<SocketIdentity> = []
    for number in numbers {
      guard let text = ProcessFile.link("\(folder)/fd/\(number)") else {
        hidden(errno, pid)
        continue
      }
      switch DescriptorLink(parsing: text) {
      case .socket(let inode):
        sockets[number] = inode
        survey?.open.append(inode)
        if let socket = inodes[inode] { held[number] = socket }
      case .epollSet:
        guard let content = ProcessFile.contents("\(folder)/fdinfo/\(number)") else { continue }
        awaited.formUnion(EpollSet(parsing: content).awaited.intersection(wanted))
      case .ring: rings.append(Ring(parsing: ProcessFile.contents("\(folder)/fdinfo/\(number)") ?? []))
      case .other: break
      }
    }
    note(rings, awaited, held)
    look(at: rings, of: pid, sockets)
    if !held.isEmpty { lookAtThreads(of: pid, held) }
  }

  /// An epoll set keeps watching what its process has closed, as long as others have it open: then the process doesn't
  /// accept. A worker that isn't ready has only just been given its sockets.
  private mutating func note(_ rings: [Ring], _ awaited: Set<SocketIdentity>, _ held: [Int32: SocketIdentity]) {
    guard survey != nil else { return sighting.accepted.formUnion(awaited) }
    let registered = rings.reduce(into: Set<UInt64>()) { $0.formUnion($1.registered) }
    survey?.open += registered.sorted()
    if rings.contains(where: \.isHidden) { survey?.isComplete = false }
    sighting.accepted.formUnion(awaited.filter { held.values.contains($0) || registered.contains($0.inode) })
  }

  private mutating func hidden(_ error: Int32, _ pid: pid_t) {
    refused(error)
    guard error != ENOENT, error != ESRCH, ProcessFacts(of: pid)?.hasEnded == false else { return }
    survey?.isComplete = false
  }

  /// A process that has ended, or ends during the look, doesn't count as forbidden.
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
      // A thread that has left the call meanwhile may have changed the memory: then this wasn't a sighting.
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

  /// The kernel shows that a ring accepts, but not on which socket: that is only known if the process has just one that
  /// listens.
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
