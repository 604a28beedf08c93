import Glibc

/// The signals that the master handles. The README lists what they do.
public enum ManagedSignals {
  static let all = [SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGCHLD]

  /// Blocks them. To be called first of all: until the loop watches them, a signal waits instead of killing, also
  /// across execve, where the mask and what is pending survive.
  public static func block() {
    var set = self.set(all)
    sigprocmask(SIG_BLOCK, &set, nil)
    // A reader of the log that has gone mustn't take the service with it.
    signal(SIGPIPE, SIG_IGN)
    // A parent may have ignored SIGCHLD: then the kernel reaps, and every exit status is lost (wait(2)).
    signal(SIGCHLD, SIG_DFL)
  }

  /// Takes that back, for a command that doesn't become a master: Ctrl-C ends it.
  public static func unblock() {
    var set = self.set(all)
    sigprocmask(SIG_UNBLOCK, &set, nil)
    signal(SIGPIPE, SIG_DFL)
  }

  static func set(_ signals: [Int32]) -> sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for signal in signals { sigaddset(&set, signal) }
    return set
  }
}
