import Glibc
import RoostConfiguration

/// A socket that systemd has passed to the master and that no listener has taken.
struct InheritedSocket {
  let descriptor: Int32
  let name: String

  struct Saved: Codable {
    let socket: SavedDescriptor
    let name: String
  }

  var saved: Saved { Saved(socket: SavedDescriptor(number: descriptor), name: name) }

  /// Whether a former master has put it into the fd store. The others come from .socket units.
  var isStored: Bool { StoredName.isOne(name) }

  /// What it is, in words for the operator.
  var title: String {
    let copy = copy
    let address = SocketAddress.local(of: copy)?.text ?? "no socket"
    switch copy.get(SOL_SOCKET, SO_TYPE) {
    case Int32(SOCK_STREAM.rawValue):
      let isIPv6Only = copy.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) == 1
      return address + (isIPv6Only ? " for IPv6 alone" : "") + (isListening ? "" : ", which doesn't listen")
    case Int32(SOCK_DGRAM.rawValue): return "\(address) for datagrams"
    default: return "\(address), which isn't a stream socket"
    }
  }

  /// Whether it is a stream socket that listens.
  var isListening: Bool {
    let copy = copy
    return copy.get(SOL_SOCKET, SO_ACCEPTCONN) == 1 && copy.get(SOL_SOCKET, SO_TYPE) == Int32(SOCK_STREAM.rawValue)
  }

  /// Whether it is a UDP socket.
  var isDatagram: Bool { copy.get(SOL_SOCKET, SO_PROTOCOL) == Int32(IPPROTO_UDP) }

  /// Another descriptor of the same socket.
  var copy: Descriptor { Descriptor(adopting: fcntl(descriptor, F_DUPFD_CLOEXEC, 3)) }
}

/// Matches listeners with the sockets that systemd has passed.
struct Adoption {
  /// Those that no listener has taken.
  private(set) var sockets: [InheritedSocket]

  init(_ sockets: [(descriptor: Int32, name: String)]) {
    self.sockets = sockets.map { InheritedSocket(descriptor: $0.descriptor, name: $0.name) }
  }

  /// To be called before a listener is closed on which systemd keeps listening: a later reload may ask for it again.
  mutating func giveBack(_ listener: Listener) {
    guard let name = listener.passedName else { return }
    sockets.append(
      InheritedSocket(descriptor: fcntl(listener.descriptor.number, F_DUPFD_CLOEXEC, 3), name: name))
  }

  /// Takes out those that a former master has stored.
  mutating func takeStored() -> [InheritedSocket] {
    defer { sockets.removeAll(where: \.isStored) }
    return sockets.filter(\.isStored)
  }

  /// The listeners that are there already: one, or as many as were passed under a requested name. None if it is to be
  /// opened. Names that others ask for are left to them.
  mutating func take(
    for wanted: ListenerConfiguration, reserved: [String]
  ) throws(MasterError) -> [Listener] {
    if case .systemd(let name) = wanted.address { return try takeAll(named: name, for: wanted) }
    guard let index = try match(wanted, reserved) else { return [] }
    let file = try allow(wanted, sockets[index])
    let socket = sockets.remove(at: index)
    let descriptor = Descriptor(adopting: socket.descriptor)
    // As configured, whatever its former workers made of it: there are none left that this could surprise.
    let flags = fcntl(descriptor.number, F_GETFL)
    _ = fcntl(descriptor.number, F_SETFL, wanted.isNonblocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK)
    if !socket.isDatagram { listen(descriptor.number, wanted.backlog) }
    return [listener(wanted, socket, descriptor, file)]
  }

  /// Gives the file of a unix socket its owner and its permissions. Returns it if it belongs to the master.
  private func allow(
    _ wanted: ListenerConfiguration, _ socket: InheritedSocket
  ) throws(MasterError) -> SocketFile? {
    guard case .unix(let path) = wanted.address else { return nil }
    do {
      let file = socket.isStored ? try SocketFile(of: socket.copy, at: path) : nil
      try Listener.allow(wanted, socket.copy, path, file)
      return file
    } catch {
      throw Listener.error(wanted, error)
    }
  }

  private mutating func listener(
    _ wanted: ListenerConfiguration, _ socket: InheritedSocket, _ descriptor: consuming Descriptor, _ file: SocketFile?
  ) -> Listener {
    let further = wanted.reuseport == nil ? [] : takeFurther(of: socket, SocketAddress.local(of: descriptor)?.text)
    return Listener(
      wanted, adopting: descriptor, socketFile: file, passedName: socket.isStored ? nil : socket.name,
      storedNames: socket.isStored ? [socket.name] + further.map(\.name) : [],
      further: further.map { SharedSocket(adopting: Descriptor(adopting: $0.descriptor)) })
  }

  /// The sockets of the slots after the first, in slot order, which systemd doesn't keep.
  private mutating func takeFurther(of first: InheritedSocket, _ address: String?) -> [InheritedSocket] {
    guard first.isStored else { return [] }
    var further: [InheritedSocket] = []
    while let index = sockets.firstIndex(where: { socket in
      socket.isStored && StoredName.socket(of: socket.name) == further.count + 1
        && socket.isDatagram == first.isDatagram && SocketAddress.local(of: socket.copy)?.text == address
    }) {
      further.append(sockets.remove(at: index))
    }
    return further
  }

  /// Makes what a former master has stored, and no listener has taken, give way at its addresses.
  func hideStored() -> [Int32] {
    let stored = sockets.filter(\.isStored).map(\.descriptor)
    for number in stored { Listener.hide(number) }
    return stored
  }

  /// By its name in the fd store, then by its name in a .socket unit, whose socket has to fit; then by its address.
  private func match(_ wanted: ListenerConfiguration, _ reserved: [String]) throws(MasterError) -> Int? {
    let stored = StoredName.of(wanted)
    if let index = sockets.firstIndex(where: { $0.name == stored && wanted.fits($0) }) { return index }
    if !reserved.contains(wanted.name) {
      let named = sockets.indices.filter { sockets[$0].name == wanted.name }
      if let index = named.first(where: { wanted.fits(sockets[$0]) }) { return index }
      guard named.isEmpty else {
        throw MasterError(
          "cannot adopt \(wanted.name)=\(wanted.address): systemd passed a socket of this name, but it is "
            + named.map { sockets[$0].title }.joined(separator: " and ")
            + " (ListenStream= in the .socket unit and the listener's address have to agree)")
      }
    }
    if wanted.address.isChosenByKernel { return nil }
    return sockets.firstIndex { !reserved.contains($0.name) && wanted.fits($0) }
  }

  private mutating func takeAll(
    named name: String, for wanted: ListenerConfiguration
  ) throws(MasterError) -> [Listener] {
    let matches = sockets.filter { $0.name == name }
    guard !matches.isEmpty else {
      let others = sockets.filter { !$0.isStored }.map(\.name)
      throw MasterError(
        "cannot adopt \(wanted.name)=\(wanted.address): systemd passed no socket of this name, but "
          + (others.isEmpty ? "none" : others.joined(separator: ", "))
          + " (it is set by FileDescriptorName= in the .socket unit)")
    }
    guard matches.allSatisfy({ $0.isListening || $0.isDatagram }) else {
      throw MasterError(
        "cannot adopt \(wanted.name)=\(wanted.address): it is neither a listening stream socket nor a UDP socket")
    }
    sockets.removeAll { $0.name == name }
    return matches.map { Listener(wanted, adopting: Descriptor(adopting: $0.descriptor), passedName: name) }
  }
}

extension ListenerConfiguration {
  /// Whether a socket is what this would open: its type, its address, and that it listens.
  fileprivate func fits(_ socket: InheritedSocket) -> Bool {
    let descriptor = socket.copy
    guard isForDatagrams ? socket.isDatagram : socket.isListening, sharesItsAddress(socket, descriptor),
      // One that a former master had begun to close lets no connection in.
      descriptor.get(SOL_SOCKET, SO_BINDTOIFINDEX) ?? 0 == 0,
      let local = SocketAddress.local(of: descriptor)
    else { return false }
    switch address {
    case .tcp(let host, let port), .udp(let host, let port):
      guard let actual = local.port, SocketAddress(host, port: port == 0 ? actual : port).text == local.text else {
        return false
      }
      // Whether it takes IPv4 too only matters if it is for all addresses.
      let isForAll = host == .any || host == .ipv6("::")
      let isIPv6Only = descriptor.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) == 1
      return !isForAll || takesIPv6Only == isIPv6Only
    case .unix(let path):
      guard local.text == "unix:\(path)" else { return false }
      if !socket.isStored { return true }
      // The file may have been removed meanwhile, or replaced.
      return (try? SocketFile(of: descriptor, at: path)) != nil
    case .systemd:
      return false
    }
  }

  private var isForDatagrams: Bool {
    if case .udp = address { true } else { false }
  }

  /// A group can only be continued as a group, from its first socket on.
  private func sharesItsAddress(_ socket: InheritedSocket, _ descriptor: borrowing Descriptor) -> Bool {
    let isShared = descriptor.get(SOL_SOCKET, SO_REUSEPORT) == 1
    guard socket.isStored else { return reuseport == nil || isShared }
    return isShared == (reuseport != nil) && StoredName.socket(of: socket.name) == 0
  }
}
