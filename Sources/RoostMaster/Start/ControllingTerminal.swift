import Glibc
import RoostSystemd

/// The terminal in which the master was started, if there is one (credentials(7), "Sessions and process groups").
struct ControllingTerminal {
  /// What a SIGHUP means.
  enum HangUp {
    /// A reload is requested.
    case request
    case terminalGone
    /// The terminal is gone, but the master was started so that this doesn't end it.
    case ignored
  }

  private let wasThere = Self.isThere

  /// What a SIGHUP of this sender means. A shell whose terminal is gone sends its jobs its own SIGHUP, and that may be
  /// the only one that arrives: signals coalesce.
  func meaning(ofHangUpBy sender: SignalSender) -> HangUp {
    let isOver: Bool
    switch sender {
    case .kernel: isOver = true
    case .process(let pid): isOver = wasThere && pid == getsid(0) && pid != getpid() && !Self.isThere
    }
    guard isOver else { return .request }
    return Self.isIgnored ? .ignored : .terminalGone
  }

  private static var isThere: Bool {
    let number = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    if number >= 0 { close(number) }
    return number >= 0
  }

  /// Whether the master was started by nohup(1) or the like. The disposition survives execve(2), and means nothing for
  /// a signal that is blocked.
  private static var isIgnored: Bool {
    var action = sigaction()
    guard sigaction(SIGHUP, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }
}
