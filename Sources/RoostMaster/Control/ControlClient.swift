import Glibc
import RoostControl
import RoostCore
import RoostJSON
import RoostSystemd

/// One connection to the control socket. Its cost is bounded: a client that sends too much, or doesn't read, is let go.
final class ControlClient {
  /// What a client waits for.
  enum Task: Equatable, Codable {
    case none
    /// The verdict of the reload of this generation; of the next one to begin, while there is none.
    case reload(Generation?, drained: Bool)
    /// The exit of the retirees that its reload has left, after which it gets this verdict.
    case drain(before: Generation, ReloadVerdict)
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
  /// Whether the call wants no answer.
  private(set) var isOneway = false
  private let descriptor: Descriptor
  private var source: BoundedSource?
  /// When it last sent or took anything, or began to wait.
  private var lastActive = Clock.now()
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
    source = nil  // before the descriptor is closed (`Source`)
    descriptor.shutDown()
  }

  func watch(
    in loop: EventLoop, call: @escaping (ControlClient, VarlinkCall) -> Void,
    gone: @escaping (ControlClient) -> Void
  ) throws(SystemdError) {
    self.call = call
    self.gone = gone
    source = try BoundedSource(readable: descriptor.number, in: loop, priority: .late) { [unowned self] in act() }
    listen()
  }

  private func act() {
    // While it waits and reads, the only news is that it has gone.
    if task != .none, output.isEmpty { return leave() }
    if !send() { return leave() }
    if isListening, !receive() { return leave() }
    if hasCall { handleCall() }
    goOn()
  }

  /// Takes what the client has sent. Returns whether there may be more.
  private func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 16384)
    let count = Stream.receive(descriptor.number, into: &buffer)
    guard count >= 0 else { return errno == EAGAIN }
    hasEnded = count == 0
    if !hasEnded { lastActive = Clock.now() }
    input += buffer[..<count]
    return true
  }

  /// Answers one call. Others that came with it wait for the next turn: a status looks at every worker.
  private func handleCall() {
    guard let end = input.firstIndex(of: Varlink.terminator) else { return }
    let message = input[..<end]
    input = Array(input[(end + 1)...])
    guard message.count <= ControlInterface.maximumCall, let parsed = VarlinkCall(parsing: message) else {
      return leave()
    }
    wantsMore = parsed.more
    isOneway = parsed.oneway
    isHandling = true
    call(self, parsed)
    isHandling = false
  }

  /// Waits for what comes next.
  private func goOn() {
    if isGone { return }
    // What has no end by now never was a call; nor is one that is incomplete when the client closes.
    if task == .none, output.isEmpty, !hasCall, input.count > ControlInterface.maximumCall || hasEnded {
      return leave()
    }
    listen()
  }

  private func leave() {
    guard !isGone else { return }
    isGone = true
    source = nil
    gone(self)
  }

  /// Whether there is a call to answer now. A client that doesn't read the last reply gets no other.
  private var hasCall: Bool { task == .none && output.isEmpty && input.contains(Varlink.terminator) }

  private var isListening: Bool { task == .none && output.isEmpty && !hasEnded && !hasCall }

  /// While a call is being answered, no other is read; the kernel reports that a client is gone without being asked to.
  private func listen() {
    let hasCall = hasCall
    var interest: Interest = isListening ? .readable : []
    // A call that is already here has its turn when its reply can be written, which is at once.
    if !output.isEmpty || hasCall { interest.insert(.writable) }
    source?.setInterest(interest)
    source?.hasMore = hasCall
  }

  /// Makes it wait for something.
  func begin(_ task: Task) {
    self.task = task
    lastActive = Clock.now()
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
    if !isHandling { goOn() }
  }

  /// Replies, and lets it go.
  func dismiss(_ reply: VarlinkReply) {
    output += Varlink.bytes(of: reply.json)
    _ = send()
    leave()
  }

  /// Writes what can be written without waiting. Returns whether the client is still there.
  private func send() -> Bool {
    while !output.isEmpty {
      let count = Glibc.send(descriptor.number, output, output.count, Int32(MSG_NOSIGNAL))
      if count < 0 { return errno == EAGAIN || errno == EINTR }
      output.removeFirst(count)
      if task == .none || task == .subscription { lastActive = Clock.now() }
    }
    return true
  }
}

extension ControlClient: AcceptedClient {
  var place: Places.Client {
    let wait: Places.Wait =
      switch task {
      case .none: .nothing
      // A client that doesn't read doesn't listen.
      case .subscription: output.isEmpty ? .events : .nothing
      case .drain: .drain
      case .reload, .stop, .upgrade: .end
      }
    return Places.Client(
      user: uid, process: pid, isPrivileged: uid == 0 || uid == geteuid(), isAllowed: isAllowed, wait: wait,
      lastActive: lastActive)
  }

  func turnAway() { dismiss(VarlinkReply(error: ControlInterface.busy)) }
}
