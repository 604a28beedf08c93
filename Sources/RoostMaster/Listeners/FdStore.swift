import Glibc
import RoostConfiguration
import RoostLog
import RoostSystemd

/// The place where systemd keeps listeners for the next master, should this one die (`FileDescriptorStoreMax=` in
/// systemd.service(5)).
struct FdStore {
  /// Whether there is one. From 254 on systemd says so. An older one doesn't, and it costs nothing to try.
  let isThere: Bool
  private let log: Log

  init(log: Log) {
    self.log = log
    let size = getenv("FDSTORE").map { atoi($0) }
    isThere = getenv("NOTIFY_SOCKET") != nil && (size.map { $0 > 0 } ?? (getenv("INVOCATION_ID") != nil))
  }

  /// Gives systemd a copy. What systemd has already it doesn't take twice.
  func keep(_ listener: Listener) {
    // What systemd has opened it keeps anyway.
    guard isThere, !listener.isForeign, !listener.isRetired else { return }
    let numbers = listener.numbers
    while listener.storedNames.count < numbers.count {
      let socket = listener.storedNames.count
      let name = StoredName.of(listener.configuration, socket: socket)
      do {
        try ServiceNotification.send("FDSTORE=1\nFDNAME=\(name)", with: numbers[socket])
      } catch {
        return log.warning("cannot keep \(listener.title) with systemd: \(error)")
      }
      listener.storedNames.append(name)
    }
  }

  /// Takes back the sockets of slots that are gone.
  func dropClosed(_ listener: Listener) {
    while listener.storedNames.count > listener.numbers.count { drop(listener.storedNames.removeLast()) }
  }

  /// Takes it back, for good.
  func drop(_ listener: Listener) {
    for name in listener.storedNames { drop(name) }
    listener.storedNames = []
  }

  /// Drops what is kept under this name.
  func drop(_ name: String) {
    do {
      try ServiceNotification.send("FDSTOREREMOVE=1\nFDNAME=\(name)")
    } catch {
      log.warning("cannot drop \(name) from the fd store: \(error)")
    }
  }
}
