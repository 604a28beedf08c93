import Glibc
import RoostCore
import RoostLog
import RoostProcess
import RoostSystemd

/// Looks now and then at what retirees still do: whether they accept, and which connections they have open. One look at
/// a time; the loop doesn't wait for it. An upgrade doesn't hand over what it knows: it looks again.
final class RetireeWatch {
  /// How long after the stop signal the first look comes: a worker that drains as it should has stopped accepting by
  /// then. The time of each look is a multiple of the one before, so that a drain of an hour is looked at eight times.
  private static let firstPause: Duration = .seconds(1)
  private static let growth = 3
  /// Those that are told to drain at the same time are looked at together: after each fork the master pays for every
  /// page that it writes to.
  private static let gathering: Duration = .milliseconds(50)
  /// How long looks may take, in steps: while the machine stands still, at most one passes.
  private static let step: Duration = .seconds(2)
  private static let patience = 5

  private struct Retiree {
    let process: WorkerProcess
    let listeners: Set<SocketIdentity>
    /// nil if they can't be determined.
    let places: Set<ListenerPlace>?
    let began: Instant
    var pause = RetireeWatch.firstPause
    /// nil if it is no longer looked at.
    var next: Instant?
    var sight: RetireeSearch.Sight?
    /// When that was seen, in seconds since 1970.
    var looked = 0
  }

  private struct Look {
    let process: ShortLivedProcess
    let began: Instant
    /// The numbers of the workers, in the order in which they are looked at.
    let workers: [Int]
    /// How many more steps to wait for it.
    var patience = RetireeWatch.patience
    var next: Instant
  }

  /// Those that were reported to accept, each with the newest generation at that time.
  var told: [(id: WorkerID, newest: Generation)] = []
  private let log: Log
  private var retirees: [Retiree] = []
  private var look: Look?
  private var loop: EventLoop?
  private var timer: Timer?
  private var seen: (WorkerProcess, RetireeSearch.Sight) -> Void = { _, _ in }

  init(log: Log) {
    self.log = log
  }

  /// Calls the handler with what was seen of each.
  func watch(
    in loop: EventLoop, _ seen: @escaping (WorkerProcess, RetireeSearch.Sight) -> Void
  ) throws(SystemdError) {
    self.loop = loop
    self.seen = seen
    timer = try loop.timer(priority: .last) { [unowned self] in
      giveUp()
      begin()
      arm()
    }
  }

  /// A worker, or what it has left behind, was sent its stop signal; these are the sockets that it was given to accept
  /// on.
  func add(_ process: WorkerProcess, _ sockets: [Int32]) {
    let places = sockets.compactMap { ListenerPlace(of: $0) }
    let now = Clock.now()
    retirees.removeAll { $0.process === process }
    retirees.append(
      Retiree(
        process: process, listeners: Set(sockets.compactMap { SocketIdentity(of: $0) }),
        places: places.count == sockets.count ? Set(places) : nil, began: now, next: now + Self.firstPause))
    arm()
  }

  /// Forgets those that are no longer retirees.
  func forget(where isOver: (WorkerID) -> Bool) {
    guard !retirees.isEmpty else { return }
    retirees.removeAll { isOver($0.process.id) }
    arm()
  }

  /// What was last seen of a retiree, and when, in seconds since 1970; nil if it wasn't looked at yet.
  func sight(of id: WorkerID) -> (sight: RetireeSearch.Sight, looked: Int)? {
    retirees.first { $0.process.id == id }.flatMap { retiree in retiree.sight.map { ($0, retiree.looked) } }
  }

  /// How many were seen to accept when they were last looked at.
  var accepting: Int { retirees.count { $0.sight?.accepts == true } }

  /// Ends a running look. Another may begin at any time.
  func abandon() {
    if let look { OwnProcesses.kill(look.process.pid) }
    look = nil
  }

  private func arm() {
    var next = retirees.compactMap(\.next).min().map { $0 + Self.gathering }
    // While one hangs in the kernel there are no looks: there would be more and more of them.
    if let look { next = look.patience > 0 ? look.next : nil }
    timer?.set(next?.microseconds)
  }

  // MARK: Looks

  private func begin() {
    let now = Clock.now()
    guard look == nil, let loop else { return }
    let due = retirees.indices.filter { index in retirees[index].next.map { $0 <= now } ?? false }
    if due.isEmpty { return }
    for index in due { plan(index, after: now) }
    let search = RetireeSearch(subjects: due.map { subject(retirees[$0]) }, master: getpid())
    do {
      let process = try ShortLivedProcess { tell in search.run(tell) }
      look = Look(process: process, began: now, workers: search.subjects.map(\.worker), next: now + Self.step)
      try process.watch(in: loop) { [unowned self] in answered($0) }
    } catch {
      abandon()
      log.warning("cannot check what retirees still do: \(error)")
    }
  }

  private func plan(_ index: Int, after now: Instant) {
    retirees[index].pause = retirees[index].pause * Self.growth
    retirees[index].next = max(retirees[index].began + retirees[index].pause, now + Self.firstPause)
  }

  private func subject(_ retiree: Retiree) -> RetireeSearch.Subject {
    let (processes, group) = retiree.process.draining
    return RetireeSearch.Subject(
      worker: retiree.process.id.number, processes: processes, group: group, listeners: retiree.listeners,
      places: retiree.places, former: retiree.sight?.sockets.map(Set.init))
  }

  private func answered(_ answer: [UInt8]) {
    guard let ended = look else { return }
    look = nil
    let sights = RetireeSearch.sights(answer)
    for sight in sights { take(sight, of: ended) }
    let missing = ended.workers.first { worker in !sights.contains { $0.worker == worker } }
    if ended.patience == 0, let missing { leave(missing, ended) }
    arm()
  }

  private func take(_ sight: RetireeSearch.Sight, of look: Look) {
    guard let index = index(of: sight.worker, in: look) else { return }
    retirees[index].sight = sight
    retirees[index].looked = time(nil)
    seen(retirees[index].process, sight)
  }

  /// What remains of a worker since the look began is another matter.
  private func index(of worker: Int, in look: Look) -> Int? {
    retirees.firstIndex { $0.process.id.number == worker && $0.began <= look.began }
  }

  /// Gives up looks that take too long.
  private func giveUp() {
    let now = Clock.now()
    guard var current = look, current.patience > 0, current.next <= now else { return }
    current.patience -= 1
    current.next = now + Self.step
    look = current
    if current.patience == 0 { OwnProcesses.kill(current.process.pid) }
  }

  /// A look at this one has to wait, so it is never looked at again. The others are looked at when it is their turn.
  private func leave(_ worker: Int, _ look: Look) {
    guard let index = index(of: worker, in: look) else { return }
    retirees[index].next = nil
    retirees[index].sight = .init(worker: worker, accepts: nil, connections: nil, peers: [], sockets: nil)
    log.info(
      "checking what \(retirees[index].process.title) still does takes longer than"
        + " \((Self.step * Self.patience).text): whether it accepts, and what it waits for, isn't known")
  }
}
