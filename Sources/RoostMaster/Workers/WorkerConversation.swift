import Glibc
import RoostConfiguration
import RoostContract
import RoostCore
import RoostSystemd

/// The channels on which a worker speaks to the master, each in its own language, and what it says there.
final class WorkerConversation {
  /// How a worker says that it is ready.
  enum Language {
    /// `READY=1`
    case message
    /// A line to the descriptor in `READY_FD`.
    case line
    /// The acknowledgement of einhorn's clients.
    case acknowledgement
  }

  enum Word {
    /// Anything: it shows that this worker speaks.
    case any
    /// It is ready.
    case ready(Language)
    /// It needs this much more time.
    case time(Duration)
    /// What it is doing.
    case status(String)
    /// It wants the service to be reloaded.
    case reload
    /// So much on the readiness pipe that it isn't a line. Nothing more is read there.
    case flood
    /// Messages aren't read, for this reason.
    case trouble(NotifySocket.Trouble)
  }

  /// The most that counts, so that the sum with the present time can't overflow: a week, longer than any real wait.
  private static let mostMicroseconds: UInt64 = 604_800_000_000

  let notifySocket: NotifySocket
  let readinessPipe: ReadinessPipe?
  let einhornChannel: EinhornChannel?
  private var channel = WorkerConfiguration.ReadinessChannel.automatic
  private var isAcceptable: (uid_t) -> Bool = { _ in false }
  private var heard: (Word) -> Void = { _ in }

  init(_ notifySocket: NotifySocket, _ readinessPipe: ReadinessPipe?, _ einhornChannel: EinhornChannel?) {
    self.notifySocket = notifySocket
    self.readinessPipe = readinessPipe
    self.einhornChannel = einhornChannel
  }

  init(restoring saved: WorkerProcess.Saved) {
    notifySocket = NotifySocket(restoring: saved.notifySocket)
    readinessPipe = saved.readinessPipe.map { ReadinessPipe(restoring: $0) }
    einhornChannel = saved.einhornChannel.map { EinhornChannel(restoring: $0) }
  }

  // MARK: Listening

  /// Calls the handler with what the worker says, in order. Messages of users that aren't acceptable aren't the
  /// worker's.
  func listen(
    in loop: EventLoop, for channel: WorkerConfiguration.ReadinessChannel, isAcceptable: @escaping (uid_t) -> Bool,
    _ heard: @escaping (Word) -> Void
  ) throws(SystemdError) {
    self.channel = channel
    self.isAcceptable = isAcceptable
    self.heard = heard
    try notifySocket.watch(in: loop) { [unowned self] in receiveMessages(last: false) }
    try readinessPipe?.watch(in: loop) { [unowned self] in receiveLine() }
    try einhornChannel?.stream.watch(in: loop) { [unowned self] in receiveAcknowledgement() }
  }

  /// The worker has exited: hears what it said before.
  func listenLast() {
    receiveMessages(last: true)
    receiveAcknowledgement()
    receiveLine()
  }

  /// It has acknowledged, on this channel or on the socket that all share.
  func acknowledged() {
    heard(.any)
    if channel.isByAcknowledgement { heard(.ready(.acknowledgement)) }
  }

  private func receiveMessages(last: Bool) {
    let trouble = notifySocket.receive(last: last, isAcceptable: isAcceptable) { take($0) }
    if let trouble { heard(.trouble(trouble)) }
  }

  private func take(_ message: NotifyMessage) {
    heard(.any)
    if let time = message.extendTimeoutMicroseconds { heard(.time(.microseconds(min(time, Self.mostMicroseconds)))) }
    if let status = message.status { heard(.status(status)) }
    if message.isReady, channel.isByMessage { heard(.ready(.message)) }
    if message.requestsReload { heard(.reload) }
  }

  private func receiveLine() {
    switch readinessPipe?.receive() {
    case .line: heard(.ready(.line))
    case .flood: heard(.flood)
    case .nothing, nil: break
    }
  }

  private func receiveAcknowledgement() {
    if einhornChannel?.receive() == true { acknowledged() }
  }
}
