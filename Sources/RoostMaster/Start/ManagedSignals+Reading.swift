import Glibc

extension ManagedSignals {
  /// Does what may wait for another process before there is a master, such as reading a FIFO that has no writer: a
  /// signal to stop ends the process meanwhile, as it ends any other. The other signals keep waiting for the master, so
  /// that no reload is lost. Not for a process that the master has started: signals to the service aren't meant for it.
  package static func endable<R>(_ body: () throws -> R) rethrows -> R {
    let ending = [SIGTERM, SIGINT, SIGQUIT]
    // A shell that starts it in the background makes it ignore SIGINT; the master doesn't ignore that either.
    for number in ending { signal(number, SIG_DFL) }
    var set = self.set(ending)
    sigprocmask(SIG_UNBLOCK, &set, nil)
    defer { sigprocmask(SIG_BLOCK, &set, nil) }
    return try body()
  }
}
