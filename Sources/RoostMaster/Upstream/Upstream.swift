import Glibc
import RoostConfiguration
import RoostCore

/// The master's one voice to the supervisor that started it, if there is one (sd_notify(3)).
final class Upstream {
  /// A status goes into one datagram with what it explains, and systemd drops datagrams above 4096 bytes unread: a
  /// reason must never be so long that `READY=1` is lost with it.
  private static let maximumStatus = 1024

  private let channel: UpstreamChannel
  private var status = ""
  /// What went wrong with the last reload; nil if nothing did.
  var lastFailure: String?
  /// What is wrong now, for as long as it is.
  private var trouble: String?

  init(_ channel: UpstreamChannel) {
    self.channel = channel
  }

  /// Tells a change of state, together with the status that fits it.
  func announce(_ announcement: Announcement, _ supervisor: Supervisor, trouble: String?) {
    self.trouble = trouble
    guard channel.isThere else { return }
    switch announcement {
    case .ready: send(.state, "READY=1\n" + statusLine(supervisor))
    case .reloading:
      send(.reloading, "RELOADING=1\nMONOTONIC_USEC=\(Clock.now().microseconds)\n" + statusLine(supervisor))
    case .stopping: send(.state, "STOPPING=1\n" + statusLine(supervisor))
    case .extendTimeout(let duration): send(.moreTime, "EXTEND_TIMEOUT_USEC=\(duration.wholeMilliseconds * 1000)")
    }
  }

  /// Tells the status if it has changed since it was last told.
  func tellStatus(_ supervisor: Supervisor, trouble: String?) {
    self.trouble = trouble
    guard channel.isThere, statusText(supervisor) != status else { return }
    send(.status, statusLine(supervisor))
  }

  private func send(_ subject: UpstreamMessage.Subject, _ assignments: String) {
    channel.send(UpstreamMessage(subject, assignments))
  }

  private func statusLine(_ supervisor: Supervisor) -> String {
    status = statusText(supervisor)
    return "STATUS=\(status)"
  }

  private func statusText(_ supervisor: Supervisor) -> String {
    // A line break in it would begin another assignment.
    OneLine.of(wholeStatus(supervisor), atMost: Self.maximumStatus)
  }

  private func wholeStatus(_ supervisor: Supervisor) -> String {
    let slots = supervisor.slots
    let ready = slots.count { $0.worker?.isReady == true }
    let draining = supervisor.retirees.count
    var parts: [String] = []
    switch supervisor.phase {
    case .idle: return "opening listeners"
    case .starting(let start):
      if case .awaitingListeners = start.stage { return "down: \(trouble ?? "the listeners can't be opened")" }
      let word = start.failures > 0 && supervisor.condition == .down ? "down, starting" : "starting"
      parts.append("\(word): \(ready) of \(slots.count) workers ready")
    case .serving:
      switch supervisor.condition {
      case .whole: parts.append("\(servingText(supervisor)): \(ready) of \(slots.count) workers ready")
      case .degraded:
        parts.append("degraded: \(servingText(supervisor)), \(ready) of \(slots.count) workers ready")
      case .down: parts.append("down: none of \(slots.count) workers serves")
      }
    case .reloading(let reload):
      switch reload.stage {
      case .preparing: return "reloading to generation \(reload.generation.number): reading the configuration"
      case .awaitingHook: return "reloading to generation \(reload.generation.number): before-reload runs"
      case .replacing: break
      }
      let accepting = reload.moved + slots.count { $0.candidate?.isReady == true }
      parts.append("reloading to generation \(reload.generation.number): \(accepting) of \(slots.count) workers ready")
    case .stopping: return "stopping: \(draining) \(draining == 1 ? "worker drains" : "workers drain")"
    case .stopped where trouble != nil: return "start failed: \(trouble ?? "")"
    case .stopped: return "stopped"
    }
    if let trouble { parts.append(trouble) }
    if draining > 0 { parts.append("\(draining) draining") }
    if let lastFailure { parts.append(lastFailure) }
    return parts.joined(separator: "; ")
  }

  /// More than one serves after a roll that has stopped halfway.
  private func servingText(_ supervisor: Supervisor) -> String {
    let numbers = Set(supervisor.slots.compactMap { $0.worker?.id.generation.number }).sorted()
    guard numbers.count > 1, let last = numbers.last else { return "generation \(supervisor.serving.number) serves" }
    return "generations \(numbers.dropLast().map(String.init).joined(separator: ", ")) and \(last) serve"
  }
}
