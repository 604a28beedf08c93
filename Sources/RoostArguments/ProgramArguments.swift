import CRoostShims

/// The command line of this process. `CommandLine` of the standard library is empty without `/proc`, and where a preloaded
/// library has set a variable of the environment: a command that isn't known must never be taken for none.
package enum ProgramArguments {
  /// The arguments, argument 0 first, up to a null pointer, as execve(2) takes them.
  package static var pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> { roost_arguments() }

  /// The arguments, argument 0 first. What isn't UTF-8 is replaced in them.
  package static var all: [String] {
    (0..<Int(roost_argument_count())).compactMap { index in pointers[index].map { String(cString: $0) } }
  }

  /// What is wrong with the command line as a whole, in one sentence; nil if nothing is.
  package static var problem: String? {
    // Since Linux 5.18 the kernel puts an empty argument 0 where there is none.
    guard let program = pointers.pointee, program.pointee != 0 else {
      return "The program was started without an argument 0, which is its name: what it is to do is unknown"
    }
    // Strings would replace what isn't UTF-8, and a worker would get another argument than was written.
    for (index, argument) in all.enumerated() {
      guard let bytes = pointers[index], String(validatingCString: bytes) == nil else { continue }
      return "Argument \(index) isn't UTF-8: '\(argument)'"
    }
    return nil
  }
}
