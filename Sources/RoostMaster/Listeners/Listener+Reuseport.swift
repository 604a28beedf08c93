import CRoostMaster
import Glibc
import RoostConfiguration

/// With `reuseport` a listener is a group of sockets with SO_REUSEPORT, one for each slot. The master owns them: what
/// waits in a slot's queue waits for the slot's present or next worker.
///
/// The kernel keeps a group as an array, in the order of listen(2), or of bind(2) for datagrams. The socket of slot n
/// has index n there, because sockets are only added and removed at the end. Which of them get something is decided by
/// a program that is attached to the group (docs/decisions/0010-steering-program.md).
extension Listener {
  /// Opens the first socket of a group.
  static func openGroup(
    _ type: __socket_type, _ host: Address.Host, port: UInt16, for wanted: ListenerConfiguration,
    beside others: Neighbours
  ) throws(MasterError) -> Listener {
    // With SO_REUSEPORT it would join a group of another process of the same user instead of failing.
    let probe = try bound(type, host, port: port, for: wanted, beside: others)
    let free = SocketAddress.local(of: probe)?.port ?? port
    discard(probe)
    let listener = Listener(
      wanted, adopting: try bound(type, host, port: free, for: wanted, beside: others, isShared: true))
    try listener.begin(listener.descriptor, slot: 0)
    guard listener.steer(to: [0..<1]) else { throw MasterError(cannot: "steer \(wanted.name)=\(wanted.address)") }
    return listener
  }

  /// What chooses between the sockets of the slots, if they have their own.
  var reuseport: Reuseport? { configuration.reuseport }

  private static func discard(_ descriptor: consuming Descriptor) {}

  /// The descriptors of all its sockets, slot 0 first.
  var numbers: [Int32] { [descriptor.number] + furtherSockets.map { $0.descriptor.number } }

  /// The socket that the worker of a slot gets.
  func number(slot: Int) -> Int32 {
    reuseport == nil || slot == 0 ? descriptor.number : furtherSockets[slot - 1].descriptor.number
  }

  /// Opens the sockets that are missing for the slots up to this one. Nothing is steered to them yet.
  func openSockets(upTo slot: Int) throws(MasterError) {
    guard reuseport != nil else { return }
    while furtherSockets.count < slot { furtherSockets.append(try another()) }
  }

  private func another() throws(MasterError) -> SharedSocket {
    guard let address = SocketAddress.local(of: descriptor) else { throw failure() }
    let type = isDatagram ? SOCK_DGRAM : SOCK_STREAM
    guard let descriptor = Descriptor.socket(address.family, type, isNonblocking: configuration.isNonblocking) else {
      throw failure()
    }
    let socket = SharedSocket(adopting: descriptor)
    if !isDatagram { socket.descriptor.set(SOL_SOCKET, SO_REUSEADDR, 1) }
    socket.descriptor.set(SOL_SOCKET, SO_REUSEPORT, 1)
    let isIPv6Only = address.family == AF_INET6 ? self.descriptor.get(Int32(IPPROTO_IPV6), IPV6_V6ONLY) : nil
    if let isIPv6Only { socket.descriptor.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, isIPv6Only) }
    // The machine may no longer have the address.
    guard Self.setFreebind(configuration, socket.descriptor, address.family), address.bind(socket.descriptor) else {
      throw failure()
    }
    try begin(socket.descriptor, slot: furtherSockets.count + 1)
    return socket
  }

  /// Lets a bound socket listen for a slot.
  private func begin(_ socket: borrowing Descriptor, slot: Int) throws(MasterError) {
    // The program decides; this lets the worker ask for its processor, to stay on it.
    if reuseport == .cpu { socket.set(SOL_SOCKET, SO_INCOMING_CPU, Int32(slot)) }
    guard isDatagram || listen(socket.number, configuration.backlog) == 0 else { throw failure() }
  }

  private func failure() -> MasterError {
    MasterError(cannot: "open another socket of \(name)=\(address)")
  }

  /// Makes the kernel choose among the sockets of these slots only. Returns whether it does, with errno.
  func steer(to slots: [Range<Int>]) -> Bool {
    if slots == steered { return true }
    let runs = slots.map { roost_run(first: UInt32($0.lowerBound), count: UInt32($0.count)) }
    let spread =
      switch reuseport {
      case .cpu: ROOST_SPREAD_CPU
      case .even, nil: isDatagram ? ROOST_SPREAD_FLOW : ROOST_SPREAD_RANDOM
      }
    guard roost_steer(descriptor.number, spread, runs, runs.count) == 0 else { return false }
    steered = slots
    return true
  }

  /// Closes all sockets but those of the first `count` slots. No worker that was given them may still have them.
  func closeSockets(after count: Int) {
    // A datagram socket can't be taken out of its group as long as a process has a copy, such as one that a worker has
    // left behind, and the indexes would be wrong. It waits for its slot to come back.
    if isDatagram { return }
    while furtherSockets.count + 1 > max(count, 1) {
      // It leaves the group now, even if a process has a copy, and those before it keep their index.
      shutdown(furtherSockets.removeLast().descriptor.number, Int32(SHUT_RD))
    }
  }

  /// Whether nothing waits in a slot's socket.
  func isEmpty(slot: Int) -> Bool {
    guard slot <= furtherSockets.count else { return true }
    var waiting: UInt32 = 0
    var limit: UInt32 = 0
    let result =
      isDatagram
      ? roost_waiting_memory(number(slot: slot), &waiting) : roost_accept_queue(number(slot: slot), &waiting, &limit)
    return result == 0 && waiting == 0
  }
}
