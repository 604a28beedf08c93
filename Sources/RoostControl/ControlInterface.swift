/// The interface by which a service is operated (docs/control.md).
public enum ControlInterface {
  /// Its name.
  public static let name = "roost.Control"
  /// Tells how the service is.
  public static let status = "roost.Control.Status"
  /// Replaces the workers.
  public static let reload = "roost.Control.Reload"
  /// Ends the service.
  public static let stop = "roost.Control.Stop"
  /// Changes the number of workers.
  public static let scale = "roost.Control.Scale"
  /// Tells what happens.
  public static let subscribe = "roost.Control.Subscribe"
  /// Tells the metrics.
  public static let metrics = "roost.Control.Metrics"

  /// Executes the master's new binary.
  public static let upgrade = "roost.Control.Upgrade"

  /// The new generation isn't serving.
  public static let reloadFailed = "roost.Control.ReloadFailed"
  /// There is no reload any more.
  public static let serviceStops = "roost.Control.ServiceStops"

  /// There is no place for this client, or it had to make room for another.
  public static let busy = "roost.Control.Busy"

  /// The master goes on with its former binary.
  public static let upgradeRefused = "roost.Control.UpgradeRefused"

  /// The longest call that is read, in bytes. None of the interface's comes near.
  public static let maximumCall = 65536

  /// The interface in the language of Varlink.
  public static let description = """
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

    type Service (
      name: string,
      pid: int,
      version: string,
      phase: (starting, serving, reloading, stopping),
      # what serves
      generation: int,
      # what a running reload starts
      candidate: ?int,
      workersWanted: int,
      # seconds since 1970
      started: int,
      workers: []Worker,
      listeners: []Listener,
      outsiders: []Outsider,
      # whether that look could see every process; null before the first
      sawAllProcesses: ?bool,
      lastReload: ?Verdict
    )

    method Status() -> (service: Service)

    # Starts new workers, and replaces the current ones when the new ones are ready. Replies when the reload that began
    # after this call has ended; if 'drained' is true and it has succeeded, when the last retiree is gone too. With
    # 'more', events come as they happen, and the verdict last.
    method Reload(drained: ?bool) -> (event: ?Event, verdict: ?Verdict)

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

    # Tells the metrics as OpenMetrics text (docs/metrics.md).
    method Metrics() -> (text: string)

    # The new generation is not serving; what went on is in the verdict.
    error ReloadFailed (verdict: Verdict)

    # The new binary can not be executed, or can not go on with the state of the running one, which goes on.
    error UpgradeRefused (reason: string)

    # The service is being stopped.
    error ServiceStops ()

    # There is no place for this client, or it had to make room for another. The connection ends after it.
    error Busy ()

    """
}
