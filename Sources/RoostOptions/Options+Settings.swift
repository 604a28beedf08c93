import Glibc
import RoostConfiguration
import RoostCore

extension Options {
  func settings(_ reader: OptionReader) -> Settings {
    let hooks = Set(Hook.allCases.filter { reader.has($0.rawValue) })
    if hooks.isEmpty {
      reader.report("hook-timeout", "has a meaning only with 'before-reload' or 'after-takeover'")
    }
    let hookTimeout = reader.duration("hook-timeout") ?? .seconds(60)
    if hookTimeout < Limits.shortestHookTimeout {
      reader.report("hook-timeout", "\(hookTimeout.text) is too short, expected at least 1s")
    }
    return Settings(
      workers: workers(reader), surge: reader.integer("surge", Limits.surge) ?? .max,
      readiness: readiness(reader),
      startAttempts: reader.integer("start-attempts", Limits.startAttempts) ?? (Self.isAtTerminal ? 3 : nil),
      startLimit: startLimit(reader), probation: reader.duration("probation") ?? .seconds(60),
      fallsBack: reader.boolean("fallback") ?? !Self.isAtTerminal,
      rollsBack: (reader.choice("rollback") ?? RollbackMode.manual) == .automatic,
      settle: reader.duration("settle") ?? .seconds(1), drainTimeout: reader.duration("drain-timeout") ?? .seconds(60),
      backoff: backoff(reader), hooks: hooks, hookTimeout: hookTimeout)
  }

  /// Who sits at a terminal wants to see at once that something doesn't work, and not what has worked before; anybody else
  /// wants that it serves.
  package static var isAtTerminal: Bool { isatty(STDERR_FILENO) == 1 && getenv("NOTIFY_SOCKET") == nil }

  private func startLimit(_ reader: OptionReader) -> Duration? {
    let limit = reader.duration("start-limit")
    if limit == .zero { reader.report("start-limit", "0s gives no worker time to get ready") }
    return limit
  }

  private func workers(_ reader: OptionReader) -> Int {
    guard let value = reader.located("workers") else { return 1 }
    switch value.value {
    case .string("auto"), .text("auto"): return Processors.available()
    case .string(let text):
      reader.report(
        value, "workers",
        "found \"\(text)\", expected a whole number from 1 to \(Limits.workers.upperBound) or \"auto\"")
      return 1
    case .integer, .boolean, .array, .table, .other, .text:
      return reader.integer(value, "workers", Limits.workers, orElse: " or \"auto\"") ?? 1
    }
  }

  /// Datagrams aren't accepted, so a worker can't be seen to.
  func checkAcceptance(_ listeners: [ListenerConfiguration], _ reader: OptionReader) {
    let channel: WorkerConfiguration.ReadinessChannel? = reader.choice("ready")
    guard channel == .accepting, !listeners.isEmpty, listeners.allSatisfy(\.address.isForDatagrams) else { return }
    reader.report("ready", "\"accepting\" has a meaning only with a stream listener: datagrams aren't accepted")
  }

  private func readiness(_ reader: OptionReader) -> Settings.Readiness {
    let channel: WorkerConfiguration.ReadinessChannel = reader.choice("ready") ?? .automatic
    let timeout = reader.duration("ready-timeout")
    let age = reader.duration("ready-after")
    switch channel {
    case .automatic, .notify, .pipe, .accepting, .einhorn:
      if channel == .accepting, !reader.has("listen") {
        reader.report("ready", "\"accepting\" has a meaning only with 'listen': there is nothing to accept on")
      }
      reader.report("ready-after", "has a meaning only with 'ready' set to \"none\"")
      if timeout == .zero { reader.report("ready-timeout", "0s gives no worker time to get ready") }
      return .reported(timeout: timeout ?? .seconds(60))
    case .none:
      reader.report("ready-timeout", "has no meaning with 'ready' set to \"none\"; see 'ready-after'")
      return .alive(after: age ?? .seconds(1))
    }
  }

  private func backoff(_ reader: OptionReader) -> Backoff {
    let standard = Backoff()
    let first = reader.duration("restart-delay") ?? standard.first
    let longest = reader.duration("restart-delay-limit") ?? standard.longest
    if first > longest {
      let blamed = reader.has("restart-delay-limit") ? "restart-delay-limit" : "restart-delay"
      reader.report(
        blamed, "'restart-delay' is \(first.text) and 'restart-delay-limit' is \(longest.text): the limit is below it")
    }
    if first == .zero { reader.report("restart-delay", "0s would let a failing worker be restarted without end") }
    return Backoff(
      first: first, longest: longest, forgivenAfter: reader.duration("restart-delay-reset") ?? standard.forgivenAfter)
  }
}

/// What is done about a generation that keeps failing on probation.
private enum RollbackMode: String, CaseIterable {
  case automatic
  case manual
}

extension Address {
  fileprivate var isForDatagrams: Bool {
    switch self {
    case .udp: true
    case .tcp, .unix, .systemd: false
    }
  }
}
