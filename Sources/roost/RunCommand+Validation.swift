import ArgumentParser
import Glibc
import RoostConfiguration
import RoostCore
import RoostMaster

extension RunCommand {
  /// The configuration that the options stand for.
  func validated() throws -> Configuration {
    guard let program = command.first, !program.isEmpty else {
      throw ValidationError("Say after '--' what to run, as in: roost run --listen 8080 -- ./server --verbose")
    }
    try checkEncoding()
    try checkRange("--workers", workers, 1...Settings.maximumWorkers)
    try checkRange("--start-attempts", startAttempts, 1...1000)
    try checkRange("--backlog", backlog, 1...65535)
    if let surge { try checkRange("--surge", surge, 1...Settings.maximumWorkers) }
    let directory = try WorkingDirectory.logical()
    return Configuration(
      name: try usage { () throws(ConfigurationError) in
        try name.map(ServiceName.validate) ?? ServiceName.derived(from: program)
      },
      command: command, listeners: try listeners(in: directory), backlog: Int32(backlog), readinessChannel: ready,
      stopSignal: stopSignal ?? .term, pidFile: pidFile.map { $0.hasPrefix("/") ? $0 : directory + "/" + $0 },
      allowsWorkerReload: allowWorkerReload, settings: try settings())
  }

  private func settings() throws -> Settings {
    let readiness: Settings.Readiness
    switch ready {
    case .notify, .pipe:
      if readyAfter != nil { throw ValidationError("--ready-after has a meaning only with --ready none") }
      readiness = .reported(timeout: readyTimeout ?? .seconds(60))
      if readyTimeout == .zero { throw ValidationError("--ready-timeout 0s gives no worker time to get ready") }
    case .none:
      if readyTimeout != nil {
        throw ValidationError("--ready-timeout has no meaning with --ready none; see --ready-after")
      }
      readiness = .alive(after: readyAfter ?? .seconds(1))
    }
    return Settings(
      workers: workers, surge: surge ?? .max, readiness: readiness, startAttempts: startAttempts,
      settle: settle ?? .seconds(1),
      drainTimeout: drainTimeout ?? .seconds(60))
  }

  private func listeners(in directory: String) throws -> [ListenerConfiguration] {
    var listeners: [ListenerConfiguration] = []
    for text in listen {
      let listener = try usage { () throws(ConfigurationError) in
        try ListenerConfiguration(parsing: text, directory: directory)
      }
      if listeners.contains(where: { $0.name == listener.name }) {
        throw ValidationError("--listen: there are two listeners named '\(listener.name)'; use NAME=ADDRESS")
      }
      if case .tcp(_, 0) = listener.address {
      } else if let other = listeners.first(where: { $0.address == listener.address }) {
        throw ValidationError("--listen: '\(other.name)' and '\(listener.name)' have the same address")
      }
      listeners.append(listener)
    }
    return listeners
  }

  /// Swift's strings would replace what isn't UTF-8, and a worker would get another argument than was written.
  private func checkEncoding() throws {
    for (index, argument) in CommandLine.arguments.enumerated() {
      guard let bytes = CommandLine.unsafeArgv[index], String(validatingCString: bytes) == nil else { continue }
      throw ValidationError("Argument \(index) isn't UTF-8: '\(argument)'")
    }
  }

  private func checkRange(_ option: String, _ value: Int, _ range: ClosedRange<Int>) throws {
    guard range.contains(value) else {
      throw ValidationError("\(option) \(value) is out of range: use \(range.lowerBound) to \(range.upperBound)")
    }
  }
}

extension Configuration.ReadinessChannel: ExpressibleByArgument {}

extension Duration {
  static func argument(_ text: String) throws -> Duration {
    try usage { () throws(ConfigurationError) in try Duration(parsing: text) }
  }
}

extension StopSignal {
  static func argument(_ text: String) throws -> StopSignal {
    try usage { () throws(ConfigurationError) in try StopSignal(parsing: text) }
  }
}

/// An error of the configuration is one of usage when it comes from the command line.
private func usage<R>(_ body: () throws(ConfigurationError) -> R) throws -> R {
  do {
    return try body()
  } catch {
    throw ValidationError(error.description)
  }
}
