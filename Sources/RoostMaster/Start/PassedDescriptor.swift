import Glibc

/// Descriptors that one Roost process leaves to another, named by an environment variable as `PID:DESCRIPTOR`, with
/// further ones after further colons. The pid distinguishes it from an inherited variable.
enum PassedDescriptor {
  static func assignment(_ descriptors: [Int32], from pid: pid_t) -> String {
    ([pid] + descriptors).map(String.init).joined(separator: ":")
  }

  /// Takes them, at least one, if the variable belongs to this pid; nil for anything else, which is left as it is.
  static func take(_ variable: String, from pid: pid_t) -> [Int32]? {
    guard let value = getenv(variable), let descriptors = parse(String(cString: value), from: pid) else { return nil }
    unsetenv(variable)
    return descriptors
  }

  static func parse(_ text: String, from pid: pid_t) -> [Int32]? {
    let numbers = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false).map {
      Int32(String(Substring($0)))
    }
    let descriptors = numbers.dropFirst().compactMap { $0 }
    guard numbers.count >= 2, numbers[0] == pid, descriptors.count == numbers.count - 1,
      descriptors.allSatisfy({ $0 > STDERR_FILENO })
    else { return nil }
    return descriptors
  }
}
