/// The descriptors in the memory of a thread that waits in poll(2) or select(2).
package enum AwaitedDescriptors {
  /// No more descriptors than this are looked at.
  package static let maximumCount = 4096
  /// The size of a struct pollfd: descriptor, wanted events, events that have come.
  static let entrySize = 8
  /// POLLIN | POLLRDNORM
  private static let readable: UInt8 = 0x41

  /// The descriptors in an array of struct pollfd for which reading is awaited. Negative ones are skipped, as by
  /// poll(2).
  package static func polled(_ bytes: ArraySlice<UInt8>) -> Set<Int32> {
    var descriptors: Set<Int32> = []
    var rest = bytes
    while rest.count >= entrySize {
      let entry = Array(rest.prefix(entrySize))
      rest = rest.dropFirst(entrySize)
      let number = entry[..<4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      // All machines that Roost runs on are little-endian.
      if entry[4] & readable != 0, let descriptor = Int32(exactly: number) { descriptors.insert(descriptor) }
    }
    return descriptors
  }

  /// The descriptors in an fd_set.
  package static func selected(_ bytes: ArraySlice<UInt8>) -> Set<Int32> {
    var descriptors: Set<Int32> = []
    for (index, byte) in bytes.prefix(maximumCount / 8).enumerated() where byte != 0 {
      for bit in 0..<8 where byte & (1 << bit) != 0 { descriptors.insert(Int32(index * 8 + bit)) }
    }
    return descriptors
  }
}
