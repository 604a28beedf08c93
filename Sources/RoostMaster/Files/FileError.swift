/// Why something can't be done with a file. The caller knows what it was for.
enum FileError: Error {
  /// A system call failed (errno(3)).
  case failed(Int32)
  /// Something other than a system error, in words, with what to do.
  case refused(String)

  var reason: String {
    switch self {
    case .failed(let number): errorText(number)
    case .refused(let reason): reason
    }
  }
}

extension MasterError {
  init(cannot operation: String, _ error: FileError, hint: String? = nil) {
    switch error {
    case .failed(let number): self.init(cannot: operation, number, hint: hint)
    case .refused(let reason): self.init("cannot \(operation): \(reason)" + (hint.map { " (\($0))" } ?? ""))
    }
  }
}
