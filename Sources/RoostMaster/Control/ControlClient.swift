import CRoostLinux
import Glibc
import RoostControl
import RoostCore
import RoostJSON
import RoostSystemd

/// One connection to the control socket. What it may cost is bounded: a client that sends too much, or doesn't read, is
/// let go.
final class ControlClient {
  /// What a client waits for.
  enum Task: Equatable, Codable {
    case none
    /// The verdict of the reload of this generation; of the next one to begin, while there is none.
    case reload(Generation?, drained: Bool)
    /// The exit of the retirees that its reload has left, after which it gets this verdict.
    case drain(before: Generation, JSON)
    /// The end of the service.
    case stop
    case subscription
    /// The master's new binary, or its refusal.
    case upgrade
  }

  /// What may wait to be read by the client: a few thousand events. A single reply may be longer.
  private static let maximumUnread = 1 << 20

  let pid: pid_t
  let uid: uid_t
  let isAllowed: Bool
  /// The next call is answered after this one.
  private(set) var task = Task.none
  private(set) var wantsMore = false
  private var isOneway = false
  private let descriptor: Descriptor
  private var source: Source?
  private var input: [UInt8] = []
  private var output: [UInt8] = []
  private var hasEnded = false
  private var isHandling = false
  private var isGone = false
  private var call: (ControlClient, VarlinkCall) -> Void = { _, _ in }
  private var gone: (ControlClient) -> Void = { _ in }

  init(adopting descriptor: consuming Descriptor, isAllowed peer: (pid: pid_t, uid: uid_t, isAllowed: Bool)) {
    self.descriptor = descriptor
    pid = peer.pid
    uid = peer.uid
    isAllowed = peer.isAllowed
  }

  /// What an upgrade hands over.
  struct Saved: Codable {
    let pid: pid_t
    let uid: uid_t
    let isAllowed: Bool
    let task: Task
    let wantsMore: Bool
    let isOneway: Bool
    let socket: SavedDescriptor
    let input: SavedBytes
    let output: SavedBytes
    let hasEnded: Bool
  }

  var saved: Saved {
    Saved(
      pid: pid, uid: uid, isAllowed: isAllowed, task: task, wantsMore: wantsMore, isOneway: isOneway,
      socket: SavedDescriptor(descriptor), input: SavedBytes(input), output: SavedBytes(output), hasEnded: hasEnded)
  }

  init(restoring saved: Saved) {
    pid = saved.pid
    uid = saved.uid
    isAllowed = saved.isAllowed
    task = saved.task
    wantsMore = saved.wantsMore
    isOneway = saved.isOneway
    descriptor = saved.socket.adopt()
    input = saved.input.bytes
    output = saved.output.bytes
    hasEnded = saved.hasEnded
  }

  deinit {
    // Before the descriptor is closed: its number may belong to another by the time the loop forgets it.
    source = nil
  }

  func watch(
    in loop: EventLoop, call: @escaping (ControlClient, VarlinkCall) -> Void,
    gone: @escaping (ControlClient) -> Void
  ) throws(SystemdError) {
    self.call = call
    self.gone = gone
    source = try loop.onReadable(descriptor.number, priority: .late) { [unowned self] in act() }
    listen()
  }

  private func act() {
    // While it waits and reads, only its going is told.
    if task != .none, output.isEmpty { return leave() }
    if !send() { return leave() }
    if isListening, !receive() { return leave() }
    handleCalls()
  }

  /// Takes what the client has sent. Whether it is worth listening on.
  private func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 16384)
    // Not read(2): the kernel closes descriptors that nobody takes, and a socket among them may linger.
    var part = roost_datagram()
    guard roost_receive(descriptor.number, &buffer, buffer.count, &part) == 0 else { return errno == EAGAIN }
    part.closeDescriptors()
    hasEnded = part.length == 0
    input += buffer[..<part.length]
    return true
  }

  /// Answers the calls that are complete, one after the other.
  private func handleCalls() {
    guard !isHandling else { return }
    isHandling = true
    // Who doesn't read the last reply gets no other.
    while !isGone, task == .none, output.isEmpty, let end = input.firstIndex(of: Varlink.terminator) {
      let message = input[..<end]
      input = Array(input[(end + 1)...])
      guard message.count <= ControlInterface.maximumCall, let parsed = VarlinkCall(parsing: message) else {
        isHandling = false
        return leave()
      }
      wantsMore = parsed.more
      isOneway = parsed.oneway
      call(self, parsed)
    }
    isHandling = false
    if isGone { return }
    // What has no end by now never was a call. What has begun when the client ends is none either.
    if task == .none, output.isEmpty, input.count > ControlInterface.maximumCall || hasEnded { return leave() }
    listen()
  }

  private func leave() {
    guard !isGone else { return }
    isGone = true
    source = nil
    gone(self)
  }

  private var isListening: Bool { task == .none && !hasEnded && output.isEmpty }

  /// While a call is being answered no other is read; that the client is gone is told without asking.
  private func listen() {
    var interest: Interest = isListening ? .readable : []
    if !output.isEmpty { interest.insert(.writable) }
    source?.setInterest(interest)
  }

  /// Has it wait for something.
  func begin(_ task: Task) {
    self.task = task
    if isOneway { finish() }
  }

  /// The reload that it waits for has begun.
  func reloadBegan(_ generation: Generation) {
    if case .reload(nil, let drained) = task { task = .reload(generation, drained: drained) }
  }

  private func finish() {
    task = .none
    wantsMore = false
  }

  /// Replies to the call. With `continues` more replies follow.
  func reply(_ reply: VarlinkReply) {
    if isGone { return }
    let isOnly = output.isEmpty
    if !isOneway { output += Varlink.bytes(of: reply.json) }
    if !reply.continues { finish() }
    guard send(), isOnly || output.count <= Self.maximumUnread else { return leave() }
    if isHandling { return }
    handleCalls()
  }

  /// Whether it waits for nothing, has asked nothing that isn't answered, and hasn't left an answer unread.
  var isIdle: Bool {
    guard task == .none, input.isEmpty, output.isEmpty else { return false }
    var poll = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&poll, 1, 0) == 0
  }

  /// Whether it only hears what happens, and has read all of it.
  var isUpToDateSubscriber: Bool { task == .subscription && output.isEmpty }

  /// Lets it go, for want of room.
  func turnAway() {
    output += Varlink.bytes(of: VarlinkReply(error: ControlInterface.busy).json)
    _ = send()
    leave()
  }

  /// Writes what can be written without waiting. Whether there is still somebody.
  private func send() -> Bool {
    while !output.isEmpty {
      let number = descriptor.number
      let count = output.withUnsafeBytes { Glibc.send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count < 0 { return errno == EAGAIN || errno == EINTR }
      output.removeFirst(count)
    }
    return true
  }
}
