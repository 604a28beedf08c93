import Glibc
import RoostConfiguration
import RoostProcess

/// A socket that systemd has opened for a .socket unit, and hasn't passed to this master.
enum SystemdSocket {
  /// What systemd calls itself, that of the system and those of users.
  private static let name = "systemd"
  /// More descriptors of systemd's aren't looked at.
  private static let mostDescriptors = 16384

  /// Whether systemd listens at an address that nobody else can have, as far as this process may know that. What is looked at
  /// are tables of the kernel's, which wait for nobody.
  static func isAt(_ address: Address) -> Bool {
    switch address {
    case .tcp(_, let port): holds(BoundSockets.inodes(atPort: port, areDatagram: false))
    case .udp(_, let port): holds(BoundSockets.inodes(atPort: port, areDatagram: true))
    // Whoever has called listen(2) is whom a client sees.
    case .unix(let path): SocketFile.listener(at: path).map(isSystemd) ?? false
    case .systemd: false
    }
  }

  private static func holds(_ inodes: Set<UInt64>) -> Bool {
    var budget = mostDescriptors
    // A user's own is the parent of that user's services.
    return !inodes.isEmpty
      && [1, getppid()].contains { isSystemd($0) && OpenSockets.holds($0, anyOf: inodes, within: &budget) == true }
  }

  private static func isSystemd(_ pid: pid_t) -> Bool { ProcessFacts(of: pid)?.name == name }
}
