/// The system call in which a thread waits, as `/proc/PID/task/TID/syscall` shows it (proc_pid_syscall(5)).
package struct BlockedCall: Hashable, Sendable {
  package let number: Int
  /// Its six arguments.
  package let arguments: [UInt64]

  /// Reads a line such as `288 0x3 0x0 0x0 0x80000 0x0 0x7f736af4e6e8 0x7f736a338920 0x7f736b0d0fa8`; nil for a thread
  /// that runs, or waits elsewhere.
  package init?(parsing content: ArraySlice<UInt8>) {
    let words = content.words
    guard words.count == 9, let number = words[0].number(radix: 10), number <= 0xffff else { return nil }
    var arguments: [UInt64] = []
    for word in words[1...6] {
      guard let argument = word.after("0x")?.number(radix: 16) else { return nil }
      arguments.append(argument)
    }
    self.number = Int(number)
    self.arguments = arguments
  }
}
