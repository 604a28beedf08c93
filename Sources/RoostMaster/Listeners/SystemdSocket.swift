import Glibc
import RoostConfiguration
import RoostProcess

/// A socket that systemd has opened for a .socket unit, but hasn't passed to this master.
enum SystemdSocket {
  /// What systemd calls itself, both the system's and users' instances.
  private static let name = "systemd"
  /// No more of systemd's descriptors are looked at.
  private static let mostDescriptors = 16384

  /// Whether systemd listens at an address that no other process can have, as far as this process can tell. It looks at
  /// kernel tables, which wait for nothing.
  static func isAt(_ address: Address) -> Bool {
    switch address {
    case .tcp(_, let port): holds(BoundSockets.inodes(atPort: port, areDatagram: false))
    case .udp(_, let port): holds(BoundSockets.inodes(atPort: port, areDatagram: true))
    // A client sees the process that called listen(2).
    case .unix(let path): SocketFile.listener(at: path).map(isSystemd) ?? false
    case .systemd: false
    }
  }

  private static func holds(_ inodes: Set<UInt64>) -> Bool {
    var budget = mostDescriptors
    // A user's instance is the parent of that user's services.
    return !inodes.isEmpty
      && [1, getppid()].contains { isSystemd($0) && OpenSockets.holds($0, anyOf: inodes, within: &budget) == true }
  }

  private static func isSystemd(_ pid: pid_t) -> Bool { ProcessFacts(of: pid)?.name == name }
}
