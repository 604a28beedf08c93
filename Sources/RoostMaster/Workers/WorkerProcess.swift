import Glibc
import RoostCore
import RoostProcess
import RoostSystemd

/// A worker as a process, with the channels on which it speaks to the master.
final class WorkerProcess {
  enum State: String, Codable {
    case running
    /// Its exit was read, but isn't handled yet.
    case reaped
    /// Its exit was handled: the pid is only that of its group, if that is left, and of its session.
    case remains
  }

  let id: WorkerID
  /// Also the number of its process group.
  let pid: pid_t
  let release: Release
  let conversation: WorkerConversation
  let output: WorkerOutput
  /// When it was started, in seconds since 1970.
  let started: Int
  var state = State.running
  /// Whether it was logged that it may not ask for a reload.
  var hasAskedInVain = false
  /// The inodes of the sockets that it was given.
  var sockets: Set<UInt64> = []
  /// What it has left outside its group and has one of these open. It drains with the rest of the group.
  var strays: [Stray] = []
  /// All that it has left behind and that drains.
  var leftBehind: [Survivor] = []
  /// Its own cgroup, if there is one.
  let cgroup: WorkerCgroup?
  var stopNews = StopNews()
  /// When it, or what it has left behind, was last sent the stop signal; nil if it wasn't, or by a version that didn't
  /// note it.
  var signalled: Instant?
  /// Whether it was reported that it still accepts.
  var hasToldAccepting = false
  private var groupIsGone = false
  /// What it last said of itself, as much as fits into one of many lines.
  private(set) var statusText: String?
  private static let maximumStatus = 256

  init(
    id: WorkerID, pid: pid_t, release: Release, _ conversation: WorkerConversation, output: WorkerOutput,
    cgroup: WorkerCgroup? = nil
  ) {
    self.cgroup = cgroup
    self.id = id
    self.pid = pid
    self.release = release
    self.output = output
    started = time(nil)
    self.conversation = conversation
  }

  /// What an upgrade hands over. The release is that of its generation.
  struct Saved: Codable {
    let id: WorkerID
    let pid: pid_t
    let notifySocket: NotifySocket.Saved
    let readinessPipe: ReadinessPipe.Saved?
    let einhornChannel: EinhornStream.Saved?
    let output: [OutputStream.Saved]
    let started: Int
    let state: State
    let statusText: String?
    /// nil from a version that didn't know them.
    let sockets: [Int]?
    /// Its name, if there is one.
    let cgroup: String?
    /// nil from a version that didn't know them.
    let signalled: Instant?
    let hasToldAccepting: Bool?
  }

  var saved: Saved {
    Saved(
      id: id, pid: pid, notifySocket: conversation.notifySocket.saved,
      readinessPipe: conversation.readinessPipe?.saved, einhornChannel: conversation.einhornChannel?.stream.saved,
      output: output.saved, started: started, state: state, statusText: statusText,
      sockets: sockets.sorted().map { Int($0) }, cgroup: cgroup?.name, signalled: signalled,
      hasToldAccepting: hasToldAccepting)
  }

  init(restoring saved: Saved, release: Release, output: WorkerOutput, cgroup: WorkerCgroup?) {
    self.cgroup = cgroup
    id = saved.id
    pid = saved.pid
    self.release = release
    self.output = output
    conversation = WorkerConversation(restoring: saved)
    started = saved.started
    state = saved.state
    statusText = saved.statusText
    sockets = Set((saved.sockets ?? []).map { UInt64(bitPattern: Int64($0)) })
    signalled = saved.signalled
    hasToldAccepting = saved.hasToldAccepting ?? false
  }

  /// The worker says something of itself.
  func tellStatus(_ text: String) {
    var end = text.utf8.index(text.startIndex, offsetBy: Self.maximumStatus, limitedBy: text.endIndex) ?? text.endIndex
    // Whole characters, which begin at bytes that don't continue one.
    while end < text.endIndex, text.utf8[end] & 0xc0 == 0x80 { end = text.utf8.index(before: end) }
    statusText = String(Substring(text.utf8[..<end]))
  }

  /// Calls the handler with what the worker says.
  func listen(
    in loop: EventLoop, _ heard: @escaping (WorkerConversation.Word) -> Void
  ) throws(SystemdError) {
    try conversation.listen(
      in: loop, for: release.configuration.readinessChannel, isAcceptable: { [unowned self] in isAcceptableSender($0) },
      heard)
  }

  /// What it is called, in words.
  var title: String { "worker \(pid) (slot \(id.slot), generation \(id.generation.number))" }

  /// Asks the worker to drain, or if it has exited, what remains of it. A stopped process can't, so it is continued.
  func drain() {
    for signal in [release.configuration.stopSignal.number, SIGCONT] {
      switch state {
      case .running: Glibc.kill(pid, signal)
      case .reaped: break  // The pid may be another's by now; if it has left something, its exit says so in a moment.
      case .remains:
        if groupIsAlive { Glibc.kill(-pid, signal) }
        for stray in strays { stray.signal(signal) }
      }
    }
  }

  /// Ends the whole process group and all strays.
  func kill() {
    switch state {
    case .running, .reaped: Glibc.kill(-pid, SIGKILL)
    case .remains:
      if groupIsAlive { Glibc.kill(-pid, SIGKILL) }
      for stray in strays { stray.signal(SIGKILL) }
    }
  }

  /// What drains: these and their descendants, and the process group.
  var draining: (processes: [pid_t], group: pid_t?) {
    switch state {
    case .running: ([pid], pid)
    case .reaped: ([], nil)
    case .remains: (strays.map(\.pid), groupIsAlive ? pid : nil)
    }
  }

  /// Whether anything that drains is left of an exited worker.
  var hasRemains: Bool { groupIsAlive || !strays.isEmpty }

  /// Whether any process of the group is left. Once there is none, its number may belong to another group.
  private var groupIsAlive: Bool {
    if !groupIsGone { groupIsGone = Glibc.kill(-pid, 0) < 0 && errno == ESRCH }
    return !groupIsGone
  }

  /// Whether a message of this user is the worker's: a worker that was started by root may have changed its user.
  func isAcceptableSender(_ uid: uid_t) -> Bool {
    uid == 0 || uid == geteuid() || uid == release.configuration.identity?.user || uid == effectiveUser
  }

  /// The effective uid of the worker now (proc_pid_status(5)), or nil if it is gone.
  private var effectiveUser: uid_t? {
    let line = ProcessFile.contents("/proc/\(pid)/status")?.lines.first { $0.after("Uid:") != nil }
    guard let words = line?.words, words.count > 2 else { return nil }
    return words[2].number(radix: 10).flatMap { uid_t(exactly: $0) }
  }
}
