import Glibc

/// A list of C strings that ends with NULL, as execve(2) takes it.
final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  private let count: Int

  init(_ strings: [String]) {
    count = strings.count
    pointers = .allocate(capacity: count + 1)
    for (index, string) in strings.enumerated() { pointers[index] = strdup(string) }
    pointers[count] = nil
  }

  /// A list of the same form, byte for byte.
  init(copying list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) {
    var count = 0
    while list[count] != nil { count += 1 }
    self.count = count
    pointers = .allocate(capacity: count + 1)
    for index in 0..<count { pointers[index] = strdup(list[index]!) }
    pointers[count] = nil
  }

  /// Assignments, in which characters may stand for bytes.
  convenience init(environment assignments: [String]) {
    self.init(assignments)
    for (index, assignment) in assignments.enumerated() {
      guard EnvironmentBytes.mayStandForBytes(assignment) else { continue }
      // Bytes take no more room than the characters that stand for them.
      let bytes = EnvironmentBytes.bytes(of: assignment)
      for (offset, byte) in bytes.enumerated() { pointers[index]![offset] = CChar(bitPattern: byte) }
      pointers[index]![bytes.count] = 0
    }
  }

  deinit {
    for index in 0..<count { free(pointers[index]) }
    pointers.deallocate()
  }

  /// Where the value of an assignment `NAME=value` begins. The assignment must be there.
  func value(of name: String) -> UnsafeMutablePointer<CChar> {
    let beginning = "\(name)="
    let length = beginning.utf8.count
    for index in 0..<count {
      let assignment = pointers[index]!
      if strncmp(assignment, beginning, length) == 0 { return assignment + length }
    }
    preconditionFailure("no assignment of \(name)")
  }
}
