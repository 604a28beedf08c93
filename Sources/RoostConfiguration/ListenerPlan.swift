/// What becomes of the listeners that are open when others are wanted.
///
/// A listener is known by its address: the socket stays while that does, whatever it is called. Where the kernel chooses
/// the port, several have one address, and the name decides.
package struct ListenerPlan: Hashable, Sendable {
  /// Where a wanted listener comes from.
  package enum Step: Hashable, Sendable {
    /// It is open already: these of the open ones, of which there are several where systemd has passed several under one
    /// name.
    case keep([Int])
    /// It is to be opened.
    case open
  }

  /// What to do for each wanted listener, in their order.
  package let steps: [Step]

  /// Finds out. Throws where an open listener would have to be changed in a way that a socket can't be.
  package init(open: [ListenerConfiguration], wanted: [ListenerConfiguration]) throws(ConfigurationError) {
    // First those that keep their names, so that none is taken for another of the same address.
    var taken = Set<Int>()
    let named = wanted.map { wanted in
      let indices = open.indices.filter { open[$0].name == wanted.name && open[$0].address == wanted.address }
      taken.formUnion(indices)
      return indices
    }
    var steps: [Step] = []
    for (wanted, named) in zip(wanted, named) {
      let kept = named.isEmpty ? Self.renamed(wanted, open, taken) : named
      for index in kept { try Self.check(open[index], becoming: wanted) }
      taken.formUnion(kept)
      steps.append(kept.isEmpty ? .open : .keep(kept))
    }
    self.steps = steps
  }

  private static func renamed(
    _ wanted: ListenerConfiguration, _ open: [ListenerConfiguration], _ taken: Set<Int>
  ) -> [Int] {
    guard !wanted.address.isChosenByKernel else { return [] }
    return open.indices.filter { open[$0].address == wanted.address && !taken.contains($0) }
  }

  /// The flag that makes accept(2) wait or not is shared with running workers, and what else an IPv6 socket takes is
  /// decided when it is bound.
  private static func check(
    _ open: ListenerConfiguration, becoming wanted: ListenerConfiguration
  ) throws(ConfigurationError) {
    let fixed: [(String, Bool)] = [
      ("nonblocking", open.isNonblocking != wanted.isNonblocking),
      ("ipv6-only", open.takesIPv6Only != wanted.takesIPv6Only), ("reuseport", open.reuseport != wanted.reuseport),
    ]
    guard let changed = fixed.first(where: \.1) else { return }
    throw ConfigurationError(
      "'\(changed.0)' of the listener \(wanted.name)=\(wanted.address) has changed, which takes effect only when the"
        + " service is restarted")
  }
}

extension ListenerConfiguration {
  /// Whether an IPv6 socket takes no IPv4 connections, as chosen or by its address; nil where that has no meaning.
  package var takesIPv6Only: Bool? {
    switch address {
    case .tcp(.any, _), .udp(.any, _): isIPv6Only ?? false
    case .tcp(.ipv6, _), .udp(.ipv6, _): isIPv6Only ?? true
    case .tcp(.ipv4, _), .udp(.ipv4, _), .unix, .systemd: nil
    }
  }
}
