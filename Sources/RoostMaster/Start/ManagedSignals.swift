import Glibc

/// The signals that the master handles, and those that it ignores. docs/operating.md lists all of them.
package enum ManagedSignals {
  static let all = [SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGCHLD]

  /// Blocks them. To be called first of all: until the loop watches them, a signal waits instead of killing, also
  /// across execve, where the mask and what is pending survive.
  package static func block() {
    var set = self.set(all)
    sigprocmask(SIG_BLOCK, &set, nil)
    for number in unheeded { signal(number, SIG_IGN) }
    // A parent may have ignored SIGCHLD: then the kernel reaps, and every exit status is lost (wait(2)).
    signal(SIGCHLD, SIG_DFL)
  }

  /// Undoes that, for a command that doesn't become a master: Ctrl-C ends it.
  package static func unblock() {
    var set = self.set(all)
    sigprocmask(SIG_UNBLOCK, &set, nil)
    for number in unheeded { signal(number, SIG_DFL) }
  }

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

  /// Their default is to end the process, but none of them is a reason for a service to end: a reader of the log that
  /// has gone; a log, or a state that is handed over, that has become as large as a limit allows; processor time above
  /// a soft limit; timers that were armed before `roost` was executed; and what means nothing to a master. Workers have
  /// the defaults again. Faults of the program itself, such as SIGSEGV and SIGABRT, end it with a core, and SIGTSTP
  /// stops it.
  private static let unheeded =
    [SIGPIPE, SIGXFSZ, SIGXCPU, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT]
    // The C library keeps some of the real-time signals for itself.
    + Array(__libc_current_sigrtmin()...__libc_current_sigrtmax())

  static func set(_ signals: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    return set
  }
}
