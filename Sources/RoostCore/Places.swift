/// How many clients one of the master's sockets has room for, and which one makes room for which.
///
/// A client that waits for nothing can't be in the way: there is always one that makes room for a new client. A client
/// that waits for something has another place, which isn't taken from it for one that has only connected.
package struct Places: Sendable {
  package struct Client: Equatable, Sendable {
    /// The user, if the kernel reveals it.
    package var user: UInt32?
    /// The process that connected, if the kernel reveals it.
    package var process: Int32?
    /// Whether it is root, or the master's own user.
    package var isPrivileged: Bool
    /// Whether it may be connected at all. One that may not is told so when it calls, and keeps no other client out.
    package var isAllowed: Bool
    package var wait: Wait
    /// When it last sent or took anything; if it waits, when that began.
    package var lastActive: Instant

    package init(
      user: UInt32?, process: Int32? = nil, isPrivileged: Bool = false, isAllowed: Bool = true, wait: Wait,
      lastActive: Instant
    ) {
      self.user = user
      self.process = process
      self.isPrivileged = isPrivileged
      self.isAllowed = isAllowed
      self.wait = wait
      self.lastActive = lastActive
    }
  }

  /// What a client waits for, beginning with what is given up first.
  package enum Wait: Int, Comparable, Sendable {
    /// For nothing: it has sent no call, or half of one, or doesn't read what it was sent.
    case nothing
    /// It hears what happens, and has read all of it.
    case events
    /// Its reload has succeeded, and it waits for the last retiree.
    case drain
    /// The end of a reload, of an upgrade, or of the service.
    case end

    package static func < (first: Wait, second: Wait) -> Bool { first.rawValue < second.rawValue }
  }

  /// Whether a client may begin to wait.
  package enum Admission: Equatable, Sendable {
    /// There is room.
    case free
    /// If this one goes.
    case inPlaceOf(Int)
    /// Not now.
    case refused
  }

  /// How many that wait for nothing may be connected.
  let idle: Int
  /// How many privileged clients may wait, and as many others.
  let waiting: Int
  /// How many of the others' places one user may take.
  let share: Int

  package init(idle: Int, waiting: Int = 0, share: Int = 0) {
    self.idle = idle
    self.waiting = waiting
    self.share = share
  }

  /// Whether one more may connect only if another one goes.
  package func isFull(_ clients: [Client]) -> Bool { clients.count { $0.wait == .nothing } >= idle }

  /// The client that makes room for a new one. A crowd displaces itself: one goes of the user that has the most. nil if
  /// none waits for nothing.
  package func idlest(_ clients: [Client]) -> Int? {
    first(clients, of: clients.indices.filter { clients[$0].wait == .nothing })
  }

  package func admission(_ client: Client, beside others: [Client]) -> Admission {
    let taken = others.indices.filter {
      others[$0].wait != .nothing && others[$0].isPrivileged == client.isPrivileged
    }
    let own = taken.filter { others[$0].user == client.user }
    let hasShare = client.isPrivileged || own.count < share
    if hasShare, taken.count < waiting { return .free }
    // A client that only listens makes room for any other. A privileged one isn't refused, and takes the place of one
    // that waits for the same or less.
    let most = client.isPrivileged ? client.wait : .events
    let leaving = (hasShare ? taken : own).filter { others[$0].wait <= most }
    let least = leaving.map { others[$0].wait }.min()
    return first(others, of: leaving.filter { others[$0].wait == least }).map { .inPlaceOf($0) } ?? .refused
  }

  /// Of these, the one that goes first: one that may not be there; one of the user that has the most; one that isn't
  /// privileged; one of the process that has the most; the one that has been silent for longest.
  private func first(_ clients: [Client], of indices: [Int]) -> Int? {
    func order(_ index: Int) -> (Int, Int, Int, Int, Instant) {
      let client = clients[index]
      let ofUser = indices.count { clients[$0].user == client.user }
      let ofProcess = indices.count { clients[$0].user == client.user && clients[$0].process == client.process }
      return (client.isAllowed ? 1 : 0, -ofUser, client.isPrivileged ? 1 : 0, -ofProcess, client.lastActive)
    }
    return indices.map { (order($0), $0) }.min { $0.0 < $1.0 }?.1
  }
}
