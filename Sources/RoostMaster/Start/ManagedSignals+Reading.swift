import Glibc

extension ManagedSignals {
  /// Does what may wait for somebody outside before there is a master, such as reading a FIFO that nobody writes: a signal
  /// to stop ends the process meanwhile, as it ends any other. The others go on waiting for the master, so that no reload
  /// is lost. Not for a process that the master has started: it isn't meant by what is sent to the service.
  package static func endable<R>(_ body: () throws -> R) rethrows -> R {
    let ending = [SIGTERM, SIGINT, SIGQUIT]
    // A shell that starts it in the background lets it ignore SIGINT; the master doesn't either.
    for number in ending { signal(number, SIG_DFL) }
    var set = self.set(ending)
    sigprocmask(SIG_UNBLOCK, &set, nil)
    defer { sigprocmask(SIG_BLOCK, &set, nil) }
    return try body()
  }
}
