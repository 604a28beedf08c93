import CRoostSystemd
import Glibc

/// An sd-event loop (sd-event(3)). It stays on the thread that made it.
package final class EventLoop {
  /// The order in which sources that are ready at the same time are dispatched.
  package struct Priority: Sendable {
    let value: Int64
    package static let first = Priority(value: -20)
    package static let early = Priority(value: -10)
    package static let normal = Priority(value: 0)
    package static let late = Priority(value: 10)
    package static let last = Priority(value: 20)
  }

  let event: OpaquePointer
  /// Dispatched when a round is over.
  private var roundEnd: Source?
  private var atRoundEnd: [() -> Void] = []

  package init() throws(SystemdError) {
    var event: OpaquePointer?
    try SystemdError.check("create an event loop", sd_event_new(&event))
    self.event = event!
  }

  deinit {
    roundEnd = nil
    sd_event_unref(event)
  }

  /// Dispatches sources until `exit` is called, and returns its status.
  package func run() throws(SystemdError) -> Int32 {
    let status = sd_event_loop(event)
    try SystemdError.check("run the event loop", status)
    return status
  }

  /// Dispatches what is ready, or waits for it at most this long, and returns after one source.
  package func runOnce(microseconds: UInt64) throws(SystemdError) {
    try SystemdError.check("run the event loop", sd_event_run(event, microseconds))
  }

  /// Ends `run` once the current source has been handled.
  package func exit(_ status: Int32) {
    sd_event_exit(event, status)
  }

  /// Handles a signal, which must be blocked. Coalesced as signals are: one call may stand for several, and names the
  /// sender of the first.
  ///
  /// Not by sd_event_add_signal(3). When a signal changes its priority, that may close a signalfd(2) without taking it
  /// out of epoll first. A process that was forked at that time has it open as well, so epoll keeps reporting it for
  /// what sd-event has freed: it aborts.
  package func onSignal(
    _ signal: Int32, priority: Priority, _ handler: @escaping (SignalSender) -> Void
  ) throws(SystemdError) -> Source {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, signal)
    let descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
    guard descriptor >= 0 else { throw SystemdError(operation: "watch a signal", errno: errno) }
    do throws(SystemdError) {
      let source = try onReadable(descriptor, priority: priority) {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        if read(descriptor, &information, size) == size { handler(SignalSender(information)) }
      }
      source.owned = descriptor
      return source
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Handles a descriptor that is readable or hung up, as long as it is.
  package func onReadable(
    _ descriptor: Int32, priority: Priority, _ handler: @escaping () -> Void
  ) throws(SystemdError) -> Source {
    try on(.readable, of: descriptor, priority: priority, handler)
  }

  /// Handles a descriptor that is ready for what was asked for, or hung up, as long as it is.
  package func on(
    _ interest: Interest, of descriptor: Int32, priority: Priority, _ handler: @escaping () -> Void
  ) throws(SystemdError) -> Source {
    try add("watch a descriptor", priority, handler) { source, box in
      sd_event_add_io(event, source, descriptor, interest.rawValue, { _, _, _, box in Box.call(box) }, box)
    }
  }

  /// Calls the handler once, when nothing of a higher priority is left to handle.
  package func deferred(priority: Priority, _ handler: @escaping () -> Void) throws(SystemdError) -> Source {
    try add("put something off", priority, handler) { source, box in
      sd_event_add_defer(event, source, { _, box in Box.call(box) }, box)
    }
  }

  /// Calls the handler once, when the round is over: by then everything that is ready now, of any priority, has had its
  /// turn.
  package func atRoundEnd(_ handler: @escaping () -> Void) {
    atRoundEnd.append(handler)
    // A new one each time: one that is enabled again counts as having waited since it was made, and would come before
    // all others of its priority. Without memory for it the round lasts until its end is asked for again.
    if roundEnd == nil { roundEnd = try? deferred(priority: .last) { [unowned self] in endRound() } }
  }

  private func endRound() {
    roundEnd = nil
    let handlers = atRoundEnd
    atRoundEnd = []
    for handler in handlers { handler() }
  }

  /// A timer that isn't set, on CLOCK_MONOTONIC.
  package func timer(priority: Priority, _ handler: @escaping () -> Void) throws(SystemdError) -> Timer {
    let timer = Timer()
    let goOff = { [unowned timer] in
      timer.armed = nil
      handler()
    }
    let source = try add("create a timer", priority, goOff) { source, box in
      // Accuracy 1 µs: the default would let the kernel be 250 ms late.
      sd_event_add_time(event, source, CLOCK_MONOTONIC, .max, 1, { _, _, box in Box.call(box) }, box)
    }
    source.setEnabled(false)
    timer.source = source
    return timer
  }

  private func add(
    _ operation: StaticString, _ priority: Priority, _ handler: @escaping () -> Void,
    _ add: (UnsafeMutablePointer<OpaquePointer?>, UnsafeMutableRawPointer) -> Int32
  ) throws(SystemdError) -> Source {
    let box = Unmanaged.passRetained(Box(handler))
    var source: OpaquePointer?
    let result = add(&source, box.toOpaque())
    guard let source, result >= 0 else {
      box.release()
      throw SystemdError(operation: operation, errno: -result)
    }
    // From here on the source holds the box, and gives it back when it is freed.
    sd_event_source_set_destroy_callback(source) { Unmanaged<Box>.fromOpaque($0!).release() }
    sd_event_source_set_priority(source, priority.value)
    return Source(source)
  }
}

/// What is awaited of a descriptor (epoll_ctl(2)). Hang-up and error are reported without asking.
package struct Interest: OptionSet, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// EPOLLIN, which the Glibc module doesn't have.
  package static let readable = Interest(rawValue: 0x001)
  /// EPOLLOUT
  package static let writable = Interest(rawValue: 0x004)
}

/// A registration in an event loop. Its owner keeps it: the handler is never called after it is gone. It has to go before
/// its descriptor is closed, whose number may belong to another by the time the loop forgets it.
package final class Source {
  fileprivate let source: OpaquePointer
  /// What is closed with it.
  fileprivate var owned: Int32?

  fileprivate init(_ source: OpaquePointer) {
    self.source = source
  }

  package func setEnabled(_ isEnabled: Bool) {
    sd_event_source_set_enabled(source, Int32(isEnabled ? SD_EVENT_ON : SD_EVENT_OFF))
  }

  package func setInterest(_ interest: Interest) {
    sd_event_source_set_io_events(source, interest.rawValue)
  }

  package func setPriority(_ priority: EventLoop.Priority) {
    sd_event_source_set_priority(source, priority.value)
  }

  deinit {
    // The loop may be dispatching this very source: disabled, it isn't called again while sd-event still holds it.
    sd_event_source_disable_unref(source)
    if let owned { close(owned) }
  }
}

package final class Timer {
  fileprivate var source: Source?
  /// nil as soon as it goes off.
  fileprivate var armed: UInt64?

  /// Sets the time at which the handler is called once, in µs of CLOCK_MONOTONIC, or never.
  package func set(_ microseconds: UInt64?) {
    guard armed != microseconds, let source = source?.source else { return }
    armed = microseconds
    if let microseconds { sd_event_source_set_time(source, microseconds) }
    sd_event_source_set_enabled(source, Int32(microseconds == nil ? SD_EVENT_OFF : SD_EVENT_ONESHOT))
  }
}

/// Who sent a signal (sigaction(2), `si_code`).
package enum SignalSender: Equatable, Sendable {
  /// The kernel itself: for SIGHUP, because the terminal is gone.
  case kernel
  /// The process with this id, or a timer or the like of that process.
  case process(pid_t)

  /// SI_KERNEL, which the Glibc module doesn't have.
  private static let kernelCode: Int32 = 0x80

  init(_ information: signalfd_siginfo) {
    self =
      information.ssi_code == Self.kernelCode
      ? .kernel : .process(pid_t(truncatingIfNeeded: information.ssi_pid))
  }
}

/// A closure that C can hold.
private final class Box {
  let call: () -> Void

  init(_ call: @escaping () -> Void) {
    self.call = call
  }

  static func call(_ box: UnsafeMutableRawPointer?) -> Int32 {
    Unmanaged<Box>.fromOpaque(box!).takeUnretainedValue().call()
    return 0
  }
}
