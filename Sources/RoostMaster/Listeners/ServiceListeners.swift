import RoostConfiguration
import RoostCore
import RoostLog
import RoostProcess

/// The listeners that are open. Each generation has its own list, which is in its release; these are all of them
/// together.
final class ServiceListeners {
  /// All that are open, including those that only former generations have.
  private(set) var all: [Listener]
  /// What the first generation was to listen on, until it does.
  let first: [ListenerConfiguration]
  /// Why those weren't open when the master began.
  let trouble: MasterError?
  private let fdStore: FdStore
  private let log: Log
  /// What systemd has passed and no listener has taken yet.
  private var adoption: Adoption
  /// Whether that is kept: not all listeners are open yet.
  private var keepsUntaken: Bool

  /// Those of a starting master. An obstacle that may pass is no reason to give up: then those that could be opened
  /// stay, so that clients that connect wait. An operator at a terminal, who has limited the start, wants to see at
  /// once what is wrong.
  init(
    _ wanted: Configuration, of release: Release, _ passed: Adoption, _ fdStore: FdStore, _ log: Log
  ) throws(MasterError) {
    self.fdStore = fdStore
    self.log = log
    first = wanted.listeners
    adoption = passed
    var opened: [Listener] = []
    do {
      release.listeners = try Self.passed(for: first, beside: [], &adoption, keepingOpened: { opened = $0 })
      trouble = nil
    } catch {
      guard error.healsWithTime, wanted.settings.startAttempts == nil else {
        for listener in opened { adoption.giveBack(listener) }
        throw error
      }
      release.listeners = opened.map(PassedListener.init)
      trouble = error
    }
    all = release.listeners.map(\.listener)
    keepsUntaken = trouble != nil
  }

  init(
    restoring saved: [Listener.Saved], inherited: [InheritedSocket.Saved], first: [ListenerConfiguration],
    _ fdStore: FdStore, _ log: Log
  ) {
    self.fdStore = fdStore
    self.log = log
    self.first = first
    trouble = nil
    adoption = Adoption(inherited.map { ($0.socket.descriptor, $0.name) })
    all = saved.map { Listener(restoring: $0) }
    keepsUntaken = false
  }

  var saved: [Listener.Saved] { all.map(\.saved) }
  var savedInherited: [InheritedSocket.Saved] { adoption.sockets.map(\.saved) }

  /// How many slots have queues, in which connections may have waited since a former master.
  var slotsWithQueues: Int { all.filter { $0.reuseport != nil && !$0.isDatagram }.map(\.numbers.count).max() ?? 1 }

  var inodes: Set<UInt64> { Set(all.flatMap(\.numbers).compactMap { SocketIdentity(of: $0)?.inode }) }

  // MARK: Opening

  /// Reports what the start has opened. In this order: what is dropped may have the name of what was opened in its
  /// place.
  func begin() {
    if !keepsUntaken { dropUntaken() }
    keep(all)
  }

  /// Another try to open what the first generation is to have.
  func openFirst(for release: Release) throws(MasterError) {
    var opened: [Listener] = []
    do {
      release.listeners = try Self.passed(for: first, beside: all, &adoption, keepingOpened: { opened = $0 })
      add(release.listeners.map(\.listener))
      areComplete()
    } catch {
      release.listeners += opened.map(PassedListener.init)
      add(opened)
      throw error
    }
  }

  /// Gives a release the listeners of a configuration, and opens those that aren't open.
  func open(_ wanted: [ListenerConfiguration], for release: Release) throws(MasterError) {
    let lost = all.filter { $0.obstacle != nil }
    for listener in lost { log.warning("clients couldn't connect to \(listener.title): \(listener.obstacle ?? "")") }
    let passed = try Self.passed(for: wanted, beside: all, &adoption)
    release.listeners = passed
    // No master would take it from there, and systemd drops by name, which another may soon have.
    for listener in lost { fdStore.drop(listener) }
    add(passed.map(\.listener))
  }

  private func add(_ opened: [Listener]) {
    let added = opened.filter { one in !all.contains { $0 === one } }
    all += added
    keep(added)
  }

  /// Logs listeners that were opened, and lets systemd keep them.
  private func keep(_ added: [Listener]) {
    for listener in added {
      log.info("listening on \(listener.title)")
      fdStore.keep(listener)
    }
  }

  /// All listeners of a generation are open, after those of the first weren't.
  func areComplete() {
    guard keepsUntaken else { return }
    keepsUntaken = false
    dropUntaken()
  }

  /// Called once the listeners of the start are there. A reload may still ask for what a .socket unit has passed.
  private func dropUntaken() {
    for socket in adoption.takeStored() {
      log.info("closing \(socket.title), which systemd kept and which no listener of the configuration uses")
      fdStore.drop(socket.name)
      Descriptor(adopting: socket.descriptor).shutDown()
    }
    for socket in adoption.sockets {
      log.warning(
        "systemd passed a socket named \(socket.name) that no listener takes, by name or by address; it is \(socket.title)"
      )
    }
  }

  /// A worker of a release was started: its slot may have got its own sockets.
  func keepSockets(of release: Release) {
    for passed in release.listeners { fdStore.keep(passed.listener) }
  }

  /// systemd hasn't taken the socket of this name.
  func wasNotKept(_ name: String) {
    for listener in all { listener.forgetStored(name) }
  }

  // MARK: Closing

  /// Shuts those that only retirees have: a takeover has removed them, or a failed reload had added them. To be called when the
  /// supervisor has decided, before the retirees are told to drain.
  func retire(except kept: [Listener]) -> [Listener] {
    let retired = all.filter { listener in
      !listener.isRetired && !listener.isForeign && !kept.contains { $0 === listener }
    }
    for listener in retired {
      // This comes first: the successor of a master that is killed in between mustn't get it back.
      fdStore.drop(listener)
      listener.retire()
    }
    return retired
  }

  /// Closes those that no worker has any more.
  func close(except used: [Listener]) {
    for listener in all where !used.contains(where: { $0 === listener }) {
      all.removeAll { $0 === listener }
      adoption.giveBack(listener)
      tellClosed(listener)
    }
  }

  /// Connections still in its queue are reset, and no verdict can report it: the reload ended long ago.
  private func tellClosed(_ listener: Listener) {
    listener.sampleQueue()
    let waiting = listener.isForeign ? 0 : listener.queue.now?.queued ?? 0
    if waiting == 0 { return log.info("closed \(listener.title)") }
    log.warning("closed \(listener.title) with \(waiting) waiting: no worker that had it has accepted them")
  }

  /// Closes the sockets of slots that are gone, once no worker that was given them has them: one that drains may still
  /// take connections out of its queue.
  func closeSockets(after used: Int) {
    for listener in all where listener.reuseport != nil {
      listener.closeSockets(after: used)
      fdStore.dropClosed(listener)
    }
  }

  /// On a stop. What systemd keeps waits for the next start, and so does its file.
  func closeAll() {
    for listener in all where listener.isStored { listener.leaveFile() }
    all = []
  }

  // MARK: A takeover

  /// The options of a generation that takes over hold for its listeners from now on.
  func takeOptions(of release: Release) {
    for passed in release.listeners {
      do {
        try passed.listener.take(passed.configuration)
      } catch {
        log.warning("cannot change the permissions of \(passed.listener.title): \(error.reason)")
      }
    }
  }

  /// Sets the lengths of the accept queues again: a worker's listen(2) may have changed them.
  func restoreBacklogs() {
    for listener in all { listener.restoreBacklog() }
  }

  func sample() {
    for listener in all { listener.sampleQueue() }
  }

  /// A worker of this generation was to take over, and may have left a change behind that holds for all.
  func tellBlocking(changedBy generation: Generation) {
    for listener in all where listener.hasStoppedBlocking {
      log.warning(
        "\(listener.title) no longer blocks: a worker of generation \(generation.number) has set O_NONBLOCK,"
          + " which holds for all processes that have it; workers that expect accept(2) to block will fail"
          + " (docs/protocol.md)")
    }
  }
}
