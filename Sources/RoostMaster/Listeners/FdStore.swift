import Glibc
import RoostConfiguration
import RoostLog

/// The place where systemd keeps listeners for the next master, should this one die (`FileDescriptorStoreMax=` in
/// systemd.service(5)).
struct FdStore {
  /// Whether there is one. From version 254 on systemd says so. An older one doesn't, but it costs nothing to try.
  let isThere: Bool
  private let channel: UpstreamChannel
  private let log: Log

  init(_ channel: UpstreamChannel, _ log: Log) {
    self.channel = channel
    self.log = log
    let size = getenv("FDSTORE").map { atoi($0) }
    isThere = channel.isThere && (size.map { $0 > 0 } ?? (getenv("INVOCATION_ID") != nil))
  }

  /// Gives systemd a copy. systemd takes nothing twice.
  func keep(_ listener: Listener) {
    // systemd keeps what it has opened anyway.
    guard isThere, !listener.isForeign, !listener.isRetired, listener.obstacle == nil else { return }
    for (socket, number) in listener.numbers.enumerated() {
      if socket == listener.storedNames.count { listener.storedNames.append(nil) }
      if listener.storedNames[socket] != nil { continue }
      let name = StoredName.of(listener.configuration, socket: socket)
      let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
      guard copy >= 0 else {
        return log.warning("cannot keep \(listener.title) with systemd: \(errorText(errno))")
      }
      listener.storedNames[socket] = name
      channel.send(
        UpstreamMessage(
          .keep(name), "FDSTORE=1\nFDNAME=\(name)", socket: SharedSocket(adopting: Descriptor(adopting: copy))))
    }
  }

  /// Takes back the sockets of slots that are gone.
  func dropClosed(_ listener: Listener) {
    while listener.storedNames.count > listener.numbers.count {
      if let name = listener.storedNames.removeLast() { drop(name) }
    }
  }

  /// Takes a listener back for good.
  func drop(_ listener: Listener) {
    for case let name? in listener.storedNames { drop(name) }
    listener.storedNames = []
  }

  /// Drops what is kept under this name.
  func drop(_ name: String) {
    channel.send(UpstreamMessage(.drop(name), "FDSTOREREMOVE=1\nFDNAME=\(name)"))
  }
}
