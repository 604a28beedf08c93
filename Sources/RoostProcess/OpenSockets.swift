import Glibc

/// Which sockets a process has open. `/proc/PID/fd` takes no lock that the process could hold, unlike `fdinfo`.
package enum OpenSockets {
  /// No more descriptors of a process than this are looked at.
  private static let maximumCount = 16384

  /// Whether a process has one of these open. nil if the kernel doesn't let this process look, if there is more to look
  /// at than allowed, or if it has an io_uring, with which some may be registered. The budget limits how many
  /// descriptors are looked at, and shrinks by that number.
  package static func holds(_ pid: pid_t, anyOf inodes: Set<UInt64>, within budget: inout Int) -> Bool? {
    let most = min(maximumCount, budget)
    if most <= 0 { return nil }
    let sight = look(at: pid, for: inodes, atMost: most, mayWait: false)
    budget -= sight.count + 1
    return sight.found.isEmpty ? (sight.isComplete ? false : nil) : true
  }

  /// Which of these a process has open, and whether all that it has open could be looked at. The process can make that
  /// take long.
  static func of(_ pid: pid_t, among inodes: Set<UInt64>, atMost limit: Int) -> (found: Set<UInt64>, isComplete: Bool) {
    let sight = look(at: pid, for: inodes, atMost: limit, mayWait: true)
    return (sight.found, sight.isComplete)
  }

  private struct Sight {
    var found: Set<UInt64> = []
    var count = 0
    var isComplete = true
  }

  private static func look(
    at pid: pid_t, for inodes: Set<UInt64>, atMost limit: Int, mayWait: Bool
  ) -> Sight {
    var sight = Sight()
    guard let (folder, numbers) = descriptors(of: pid, atMost: limit) else {
      // A process that has ended has nothing open.
      sight.isComplete = errno != EACCES && errno != EPERM
      return sight
    }
    sight.count = numbers.count
    sight.isComplete = numbers.count < limit
    for number in numbers {
      guard let text = ProcessFile.link("\(folder)/fd/\(number)") else {
        if errno == EACCES || errno == EPERM { sight.isComplete = false }
        continue
      }
      switch DescriptorLink(parsing: text) {
      case .socket(let inode): if inodes.contains(inode) { sight.found.insert(inode) }
      case .ring:
        // What is registered with it is open as long as the ring is, with or without a descriptor.
        let registered = mayWait ? registered("\(folder)/fdinfo/\(number)") : nil
        sight.found.formUnion((registered ?? []).intersection(inodes))
        if registered == nil { sight.isComplete = false }
      case .epollSet, .other: break
      }
      if !mayWait, !sight.found.isEmpty { break }
    }
    return sight
  }

  /// nil if that can't be determined, for example while the process changes it.
  private static func registered(_ details: String) -> Set<UInt64>? {
    guard let ring = ProcessFile.contents(details).map({ Ring(parsing: $0) }), !ring.isHidden else { return nil }
    return ring.registered
  }

  /// The numbers, and the folder in which they are: that of another thread if the first one has ended.
  static func descriptors(of pid: pid_t, atMost limit: Int) -> (folder: String, numbers: [Int32])? {
    let folder = "/proc/\(pid)"
    guard let numbers = ProcessFile.numbers(in: "\(folder)/fd", atMost: limit) else { return nil }
    guard numbers.isEmpty, let facts = ProcessFacts(of: pid), facts.hasFirstThreadEnded, !facts.hasEnded else {
      return (folder, numbers)
    }
    for thread in ProcessFile.numbers(in: "\(folder)/task", atMost: 16) ?? [] where thread != pid {
      let other = "\(folder)/task/\(thread)"
      if let numbers = ProcessFile.numbers(in: "\(other)/fd", atMost: limit), !numbers.isEmpty {
        return (other, numbers)
      }
    }
    guard ProcessFacts(of: pid)?.hasEnded == false else { return (folder, []) }
    // These threads have ended meanwhile, and others continue.
    errno = EACCES
    return nil
  }
}
