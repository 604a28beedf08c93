import Glibc

/// What processes that were told to drain still do, as the kernel shows it. A look may take for ever: see `Observer`.
package struct DrainSight: Hashable, Sendable {
  /// Whether they wait for connections at a listener. It is certain that they don't only if they have none open: one
  /// that does something else when it is looked at may accept afterwards. nil if that isn't known.
  package private(set) var accepts: Bool?
  /// The inodes of the connections that they have open, in the order of their descriptors; nil if not all can be seen.
  package let connections: [UInt64]?
  /// The clients of the first of these, over TCP.
  package let peers: [String]

  /// No more peers than this are reported.
  package static let maximumPeers = 5
}

extension DrainSight {
  /// Looks at processes that were given these listeners, and at the connections that were made to these places; nil if
  /// these aren't known.
  package init(of pids: [pid_t], _ listeners: Set<SocketIdentity>, at places: Set<ListenerPlace>?) {
    let survey = Observer.survey(pids, for: listeners)
    let open = Set(survey.open)
    if !survey.accepted.isEmpty {
      accepts = true
    } else {
      accepts = survey.isComplete && !listeners.contains { open.contains($0.inode) } ? false : nil
    }
    guard survey.isComplete, let places, let found = Connections(to: places, among: open) else {
      (connections, peers) = (nil, [])
      return
    }
    var told: Set<UInt64> = []
    let connections = survey.open.filter { found.peers[$0] != nil && told.insert($0).inserted }
    self.connections = connections
    peers = Array(connections.lazy.compactMap { found.peers[$0] ?? nil }.prefix(Self.maximumPeers))
  }

  /// Compares with what a former look saw: processes with a listener and a new connection have accepted it since,
  /// whatever they do just now. One that serves a client in the thread that accepts is only seen to accept in between.
  package func compared(with former: Set<UInt64>?) -> DrainSight {
    guard accepts == nil, let former, let connections, !former.isSuperset(of: connections) else { return self }
    var sight = self
    sight.accepts = true
    return sight
  }
}
