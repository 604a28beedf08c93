import Glibc
import RoostConfiguration
import RoostCore
import RoostProcess

/// Shows of any process which of the master's processes it descends from, even if its parents are gone and it has moved
/// to its own session: a number that children inherit, that survives execve(2) and a change of user, that all may read
/// and that a program only changes on purpose. The kernel has one such number that it doesn't act on, the limit
/// RLIMIT_LOCKS ("in early Linux 2.4 only", getrlimit(2)). See docs/decisions/0012-strays.md.
struct ProcessMark: Hashable {
  /// What the master started.
  enum Origin: Hashable {
    /// A worker of this number.
    case worker(Int)
    case hook(Hook)
    /// A command that probes a worker.
    case probe
  }

  let origin: Origin

  // From the highest bit: one that is 0, the master's pid, since a worker may be a master itself, 3 bits for what it is,
  // and the number.
  private static let numberBits: UInt64 = 38
  private static let kindBits: UInt64 = 3
  private static let numberMask: UInt64 = 1 << numberBits - 1

  init(_ origin: Origin) {
    self.origin = origin
  }

  /// The mark of a process; nil if it descends from no process of this master, or can't be looked at.
  init?(of pid: pid_t) {
    guard let value = ProcessLimits.fileLocks(of: pid) else { return nil }
    self.init(value: value, master: getpid())
  }

  init?(value: UInt64, master: pid_t) {
    guard value >> (Self.numberBits + Self.kindBits) == UInt64(UInt32(bitPattern: master)) else { return nil }
    switch value >> Self.numberBits & (1 << Self.kindBits - 1) {
    case 1: origin = .worker(Int(value & Self.numberMask))
    case 2: origin = .hook(.beforeReload)
    case 3: origin = .hook(.afterTakeover)
    case 4: origin = .probe
    default: return nil
    }
  }

  func value(master: pid_t) -> UInt64 {
    var (kind, number): (UInt64, UInt64)
    switch origin {
    case .worker(let worker): (kind, number) = (1, UInt64(worker) & Self.numberMask)
    case .hook(.beforeReload): (kind, number) = (2, 0)
    case .hook(.afterTakeover): (kind, number) = (3, 0)
    case .probe: (kind, number) = (4, 0)
    }
    return UInt64(UInt32(bitPattern: master)) << (Self.numberBits + Self.kindBits) | kind << Self.numberBits | number
  }

  /// What to start a process with so that it bears the mark; nil if that isn't possible.
  var limit: ResourceLimit? {
    let value = value(master: getpid())
    guard let hard = Self.hard, value < hard else { return nil }
    return ResourceLimit(resource: Self.resource, soft: value, hard: hard == .max ? nil : hard)
  }

  private static let resource = Int32(__RLIMIT_LOCKS.rawValue)

  /// The highest limit that the kernel allows; nil if it refuses to set it, as in some sandboxes.
  private static let hard: UInt64? = {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource), &limit) == 0, setrlimit(__rlimit_resource_t(resource), &limit) == 0
    else { return nil }
    return UInt64(limit.rlim_max)
  }()
}
