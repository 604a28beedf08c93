/// The interface by which a service is operated (docs/control.md).
package enum ControlInterface {
  package static let name = "roost.Control"
  package static let status = "roost.Control.Status"
  package static let reload = "roost.Control.Reload"
  package static let rollback = "roost.Control.Rollback"
  package static let cancel = "roost.Control.Cancel"
  package static let history = "roost.Control.History"
  package static let stop = "roost.Control.Stop"
  package static let scale = "roost.Control.Scale"
  package static let subscribe = "roost.Control.Subscribe"
  package static let logs = "roost.Control.Logs"
  package static let metrics = "roost.Control.Metrics"

  package static let upgrade = "roost.Control.Upgrade"

  /// The new generation isn't serving.
  package static let reloadFailed = "roost.Control.ReloadFailed"
  /// Nothing is recorded of what a rollback asks for.
  package static let nothingToRollBackTo = "roost.Control.NothingToRollBackTo"
  package static let nothingToCancel = "roost.Control.NothingToCancel"
  /// There is no reload any more.
  package static let serviceStops = "roost.Control.ServiceStops"

  /// There is no place for this client, or it had to make room for another.
  package static let busy = "roost.Control.Busy"

  /// The master goes on with its former binary.
  package static let upgradeRefused = "roost.Control.UpgradeRefused"

  /// The longest call that is read, in bytes. None of the interface's comes near.
  package static let maximumCall = 65536

  /// The interface in the language of Varlink.
  package static let description = """
    # Operates one service that runs under Roost.
    interface roost.Control

    # Something that has happened. docs/control.md lists the kinds.
    type Event (
      # microseconds since 1970
      time: int,
      kind: string,
      level: (info, warning, error),
      # one sentence
      message: string,
      generation: ?int,
      slot: ?int,
      # the worker's
      pid: ?int
    )

    # What came of a reload.
    type Verdict (
      generation: int,
      succeeded: bool,
      # one sentence
      message: string,
      # what the worker or the hook that failed wrote last to stderr, if it is known
      lastWords: []string,
      # microseconds since 1970
      ended: int,
      # connection requests that the kernel has dropped during the reload because a queue was full, at all TCP listeners
      dropped: ?int,
      # the most connections that were seen waiting during the reload, and how many can wait, at the listener where the
      # queue was fullest
      peakQueue: ?int,
      queueLimit: ?int,
      queueListener: ?string
    )

    type Worker (
      pid: int,
      slot: int,
      generation: int,
      role: (current, candidate, retiree),
      state: (starting, ready, stopped, emptying, draining, remains, killed),
      # seconds since 1970
      started: int,
      # how many workers of the slot were lost since the service was started
      restarts: int,
      # resident memory of the worker and its descendants
      memoryBytes: ?int,
      # processor time of the worker and its descendants
      cpuMilliseconds: ?int,
      # what it said of itself by STATUS=
      status: ?string,
      # until it is killed, of a retiree; until it is told to drain, of a worker whose queue is emptied
      millisecondsLeft: ?int,
      # of a retiree: whether it was seen to wait for connections when it was looked at last; null where that is not known
      accepts: ?bool,
      # of a retiree: how many connections to the listeners it had open then
      connections: ?int,
      # who had made the first of these, 5 at most; none of unix sockets
      peers: []string,
      # of a retiree: when that was, in seconds since 1970
      looked: ?int
    )

    # A generation whose workers can not be restarted, should one be lost: what they run is gone. A reload replaces it.
    type Obstacle (
      generation: int,
      # such as: its directory /srv/app/releases/3 was deleted
      reason: string
    )

    type Listener (
      name: string,
      address: string,
      # connections that wait to be accepted
      queued: ?int,
      # how many can
      limit: ?int,
      # the most that have been seen waiting
      peak: int,
      # connection requests that the kernel has dropped because the queue was full; unknown of unix sockets
      dropped: ?int,
      # why nobody can connect: the file of the unix socket is gone, or another is in its place. A reload makes it anew
      unreachable: ?string
    )

    # A process that has listeners open and does not belong to the service, as the look after the last reload has found: it
    # may accept connections, and no reload replaces it.
    type Outsider (
      pid: int,
      name: string,
      # the names of the listeners
      listeners: []string
    )

    # A slot that has nobody who serves.
    type Waiting (
      slot: int,
      # why its last worker was lost
      reason: ?string,
      # what that one wrote last to stderr, if it is known
      lastWords: []string,
      # until the next is started
      millisecondsLeft: ?int
    )

    # A generation, also of a former master of the service.
    type Entry (
      generation: int,
      # the former generation whose release it runs; null where that is what was configured
      recordOf: ?int,
      # where its workers start
      directory: string,
      command: []string,
      # microseconds since 1970, as are the others
      began: int,
      verdict: (starting, served, failed),
      # why it has failed
      reason: ?string,
      # when it took over
      serves: ?int,
      # when it was replaced, if somebody was there to see it
      ended: ?int,
      # why
      end: ?string,
      # whether it has served well for as long as it has to
      proved: bool,
      # whether a rollback can bring it back
      canComeBack: bool
    )

    # Where metrics are served over HTTP, or are to be.
    type Metrics (
      address: string,
      # why nobody can read them there
      obstacle: ?string,
      # until it is tried again to listen there
      millisecondsLeft: ?int
    )

    # What a worker wrote last to stderr.
    type Output (
      pid: int,
      slot: int,
      generation: int,
      hasExited: bool,
      # ten at most, and fewer where there are more than 200 workers; null where it writes to the master's stderr itself
      lines: ?[]string
    )

    type Service (
      name: string,
      pid: int,
      version: string,
      # degraded: some slots have nobody who serves; down: all have nobody
      phase: (starting, serving, degraded, down, reloading, stopping),
      # whether all slots have somebody who serves now, whatever the service is doing
      condition: (whole, degraded, down),
      # what is wrong now
      trouble: ?string,
      # why something else serves than what is configured; null where that serves
      divergence: ?(reload_failed, fell_back, rolled_back),
      waiting: []Waiting,
      # what serves
      generation: int,
      # what a running reload starts
      candidate: ?int,
      workersWanted: int,
      # seconds since 1970
      started: int,
      workers: []Worker,
      obstacles: []Obstacle,
      listeners: []Listener,
      outsiders: []Outsider,
      # whether that look could see every process; null before the first
      sawAllProcesses: ?bool,
      # null where they aren't served over HTTP
      metrics: ?Metrics,
      lastReload: ?Verdict
    )

    method Status() -> (service: Service)

    # Starts new workers, and replaces the current ones when the new ones are ready. Replies when the reload that began
    # after this call has ended; if 'drained' is true and it has succeeded, when the last retiree is gone too. With
    # 'more', events come as they happen, and the verdict last.
    # 'replace' ends a reload that runs instead of waiting for its end.
    method Reload(drained: ?bool, replace: ?bool) -> (event: ?Event, verdict: ?Verdict)

    # Replaces the workers by those of a former generation, with its own configuration: of that one, or of the newest that has
    # proved itself and runs something else. A reload like any other.
    method Rollback(generation: ?int, drained: ?bool) -> (event: ?Event, verdict: ?Verdict)

    # Ends the running reload. It fails, and what served goes on.
    method Cancel() -> (generation: int)

    # Tells what has served, oldest first.
    method History() -> (entries: []Entry, lastGood: ?int, serving: int)

    # Drains all workers and ends the service; at once, if 'atOnce' is true. Replies when the last worker is gone. With
    # 'more', events come as they happen.
    method Stop(atOnce: ?bool) -> (event: ?Event)

    # Changes the number of workers, either to 'workers' or by 'change', which goes no further than the fewest and the most
    # that there can be. While a reload runs, that takes effect when it has ended.
    method Scale(workers: ?int, change: ?int) -> (workersBefore: int, workers: int)

    # Tells what happens from now on. Needs 'more'.
    method Subscribe() -> (event: ?Event)

    # Has the master execute its own new binary in place: same pid, same workers, nothing is interrupted. Replies from
    # the new one.
    method Upgrade() -> (versionBefore: string, version: string)

    # Tells what the workers wrote last to stderr: first some of those that have gone, then those that are there.
    method Logs() -> (outputs: []Output)

    # Tells the metrics as OpenMetrics text (docs/metrics.md).
    method Metrics() -> (text: string)

    # The new generation is not serving; what went on is in the verdict.
    error ReloadFailed (verdict: Verdict)

    # Nothing is recorded of what was asked for.
    error NothingToRollBackTo (reason: string)

    # No reload is running.
    error NothingToCancel ()

    # The new binary can not be executed, or can not go on with the state of the running one, which goes on.
    error UpgradeRefused (reason: string)

    # The service is being stopped.
    error ServiceStops ()

    # There is no place for this client, or it had to make room for another. The connection ends after it.
    error Busy ()

    """
}
