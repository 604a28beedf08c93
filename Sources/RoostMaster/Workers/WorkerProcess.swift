import Glibc
import RoostCore

/// A worker as a process, with the channels on which it speaks to the master.
final class WorkerProcess {
  enum State: String, Codable {
    case running
    /// Its exit was read, and isn't handled yet.
    case reaped
    /// Its exit was handled: the pid is that of its group only, if there is one left.
    case remains
  }

  let id: WorkerID
  /// Also the number of its process group.
  let pid: pid_t
  let release: Release
  let notifySocket: NotifySocket
  let readinessPipe: ReadinessPipe?
  let einhornChannel: EinhornChannel?
  let output: WorkerOutput
  /// When it was started, in seconds since 1970.
  let started: Int
  var state = State.running
  /// What it last said of itself, as much of it as fits into a line of many.
  private(set) var statusText: String?
  private static let maximumStatus = 256

  init(
    id: WorkerID, pid: pid_t, release: Release, notifySocket: NotifySocket, readinessPipe: ReadinessPipe?,
    einhornChannel: EinhornChannel? = nil, output: WorkerOutput
  ) {
    self.id = id
    self.pid = pid
    self.release = release
    self.output = output
    started = time(nil)
    self.notifySocket = notifySocket
    self.readinessPipe = readinessPipe
    self.einhornChannel = einhornChannel
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
  }

  var saved: Saved {
    Saved(
      id: id, pid: pid, notifySocket: notifySocket.saved, readinessPipe: readinessPipe?.saved,
      einhornChannel: einhornChannel?.stream.saved, output: output.saved,
      started: started, state: state, statusText: statusText)
  }

  init(restoring saved: Saved, release: Release, output: WorkerOutput) {
    id = saved.id
    pid = saved.pid
    self.release = release
    self.output = output
    notifySocket = NotifySocket(restoring: saved.notifySocket)
    readinessPipe = saved.readinessPipe.map { ReadinessPipe(restoring: $0) }
    einhornChannel = saved.einhornChannel.map { EinhornChannel(restoring: $0) }
    started = saved.started
    state = saved.state
    statusText = saved.statusText
  }

  /// The worker says something of itself.
  func tellStatus(_ text: String) {
    var end = text.utf8.index(text.startIndex, offsetBy: Self.maximumStatus, limitedBy: text.endIndex) ?? text.endIndex
    // Whole characters, which begin at the bytes that continue none.
    while end < text.endIndex, text.utf8[end] & 0xc0 == 0x80 { end = text.utf8.index(before: end) }
    statusText = String(Substring(text.utf8[..<end]))
  }

  /// Asks the worker to drain, or if it has exited, what remains of its group.
  func drain() {
    let signal = release.configuration.stopSignal.number
    switch state {
    case .running: Glibc.kill(pid, signal)
    case .reaped: break  // The pid may be another's by now; if it has left something, its exit says so in a moment.
    case .remains: Glibc.kill(-pid, signal)
    }
  }

  /// Ends the whole process group, and the worker itself wherever it is: it may have left the group.
  func kill() {
    Glibc.kill(-pid, SIGKILL)
    switch state {
    case .running: Glibc.kill(pid, SIGKILL)
    case .reaped, .remains: break  // The pid may be another's by now.
    }
  }

  /// Whether any process of the group is left.
  var groupIsAlive: Bool {
    Glibc.kill(-pid, 0) == 0
  }

  /// Whether a message of this user is the worker's: a worker that was started by root may have changed its user.
  func isAcceptableSender(_ uid: uid_t) -> Bool {
    uid == 0 || uid == geteuid() || uid == release.configuration.identity?.user || uid == effectiveUser
  }

  /// The effective uid of the worker now (proc_pid_status(5)), or nil if it is gone.
  private var effectiveUser: uid_t? {
    let number = open("/proc/\(pid)/status", O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return nil }
    let descriptor = Descriptor(adopting: number)
    var content = [UInt8](repeating: 0, count: 2048)
    let count = read(descriptor.number, &content, content.count)
    guard count > 0 else { return nil }
    let lines = String(decoding: content[..<count], as: UTF8.self).split(separator: "\n")
    guard let uids = lines.first(where: { $0.hasPrefix("Uid:") })?.split(separator: "\t"), uids.count > 2 else {
      return nil
    }
    return uid_t(uids[2])
  }
}
