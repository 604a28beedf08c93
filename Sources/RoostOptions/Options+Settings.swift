import Glibc
import RoostConfiguration
import RoostCore

extension Options {
  /// Whoever sits at a terminal wants to see at once that something doesn't work, and not what has worked before; anybody else
  /// wants the service to serve.
  package static var isAtTerminal: Bool { isatty(STDERR_FILENO) == 1 && getenv("NOTIFY_SOCKET") == nil }

  func workers(_ reader: OptionReader) -> Int {
    guard let value = reader.located("workers") else { return Settings.standard.workers }
    if value.value.isWord("auto") { return Processors.available() }
    return reader.integer(value, "workers", Limits.workers, orElse: " or \"auto\"") ?? 1
  }

  /// What follows from other options, and what doesn't fit them.
  func complete(_ settings: inout Settings, _ reader: OptionReader, _ configuration: Configuration) {
    let (worker, listeners) = (configuration.worker, configuration.listeners)
    settings.beforeReload = worker.beforeReload != nil
    settings.afterTakeover = worker.afterTakeover != nil
    settings.queuePerSlot = listeners.contains { $0.reuseport != nil }
    if worker.readinessChannel == .none, settings.readyAfter == nil { settings.readyAfter = Settings.defaultReadyAfter }
    if !reader.has("before-reload"), !reader.has("after-takeover") {
      reader.report("hook-timeout", "has a meaning only with 'before-reload' or 'after-takeover'")
    }
    if settings.backoffFirst > settings.backoffLongest {
      let blamed = reader.has("restart-delay-limit") ? "restart-delay-limit" : "restart-delay"
      let (first, longest) = (settings.backoffFirst.text, settings.backoffLongest.text)
      reader.report(
        blamed, "'restart-delay' is \(first) and 'restart-delay-limit' is \(longest): the limit is below it")
    }
    checkReadiness(worker.readinessChannel, listeners, reader)
    checkProcessors(listeners, workers: settings.workers, reader)
  }

  private func checkReadiness(
    _ channel: WorkerConfiguration.ReadinessChannel, _ listeners: [ListenerConfiguration], _ reader: OptionReader
  ) {
    guard channel != .none else {
      return reader.report("ready-timeout", "has no meaning with 'ready' set to \"none\"; see 'ready-after'")
    }
    reader.report("ready-after", "has a meaning only with 'ready' set to \"none\"")
    guard channel == .accepting else { return }
    if !reader.has("listen") {
      reader.report("ready", "\"accepting\" has a meaning only with 'listen': there is nothing to accept on")
    } else if !listeners.isEmpty, listeners.allSatisfy({ if case .udp = $0.address { true } else { false } }) {
      reader.report("ready", "\"accepting\" has a meaning only with a stream listener: datagrams aren't accepted")
    }
  }
}
