import RoostConfiguration
import RoostCore

/// From an open master to its first generation.
extension Master {
  /// Opens the listeners of the first generation. What time may heal is no reason to give up: then those that could be opened
  /// stay, so that whoever connects waits. Somebody at a terminal, who has bounded the start, wants to see at once what is
  /// wrong.
  static func firstListeners(
    _ first: FirstRelease, _ adoption: inout Adoption
  ) throws(MasterError) -> ([Listener], MasterError?) {
    var opened: [Listener] = []
    do {
      first.release.listeners = try listeners(
        for: first.configuration.listeners, beside: [], &adoption, keepingOpened: { opened = $0 })
      return (first.release.listeners.map(\.listener), nil)
    } catch {
      guard error.healsWithTime, first.configuration.settings.startAttempts == nil else {
        for listener in opened { adoption.giveBack(listener) }
        throw error
      }
      first.release.listeners = opened.map(PassedListener.init)
      return (opened, error)
    }
  }

  /// Starts the first generation, as soon as it can be.
  func begin() {
    if let listenersTrouble { return handle(.listenersNotOpened(reason: listenersTrouble.description)) }
    handle(.startRequested)
  }

  /// Another try.
  func openFirstListeners() {
    guard let release = releases[supervisor.serving] else { preconditionFailure("the first generation has no release") }
    var opened: [Listener] = []
    do {
      release.listeners = try Self.listeners(
        for: firstListeners, beside: listeners, &adoption, keepingOpened: { opened = $0 })
      add(release.listeners.map(\.listener))
      dropUntakenAtLast()
      if supervisor.divergence == nil { startTrouble = nil }
      handle(.startRequested)
    } catch {
      release.listeners += opened.map(PassedListener.init)
      add(opened)
      handle(.listenersNotOpened(reason: error.description))
    }
  }

  /// All listeners of a generation are open, after those of the first weren't.
  func dropUntakenAtLast() {
    guard keepsUntaken else { return }
    keepsUntaken = false
    dropUntaken()
  }

  private func add(_ opened: [Listener]) {
    let added = opened.filter { one in !listeners.contains { $0 === one } }
    listeners += added
    keep(added)
  }
}

/// Why a slot lost its last worker.
struct SlotLoss: Codable {
  let reason: String
  /// What it wrote last.
  let lastWords: [String]
}
