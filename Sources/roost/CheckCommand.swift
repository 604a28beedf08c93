import ArgumentParser
import Glibc
import RoostConfiguration
import RoostMaster
import RoostOptions

struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check a configuration file without running anything.",
    discussion: """
      Reports every error with file, line and column; for a valid file, what runs, as which user, and where it \
      listens. Run as root, it also tests whether the configured user can enter the directory and execute the command. \
      Warns on stderr about a path that leads through a symbolic link and can't be pinned to the release \
      (docs/configuration.md).

      Exit status: 0 it can be used, perhaps with warnings; 78 it can't.
      """)

  @Argument(help: ArgumentHelp("The configuration file, or the name of one in /etc/roost.", valueName: "file|name"))
  var file: String

  func run() throws {
    let path = ConfigurationPath.path(of: file)
    try Failure.telling(ExitStatus.unusableConfiguration, of: "\(path): ") {
      let configuration = try Options(file: path, commandLine: [], directory: try WorkingDirectory.logical())
        .configuration()
      let resolver = try ReleaseResolver()
      try resolver.check(configuration.worker)
      let refused = try resolver.refusals(configuration.worker)
      for refusal in refused { Failure.tell("\(path): \(refusal.text(configuration.worker.identity))") }
      guard refused.isEmpty else { throw ExitCode(ExitStatus.unusableConfiguration) }
      for unpinned in try resolver.unpinned(in: configuration.worker) {
        Failure.tell("\(path): warning: \(unpinned.problem): \(UnpinnedPath.remedy)")
      }
      Terminal.write("\(path): valid; \(Self.summary(configuration))\n")
    }
  }

  private static func summary(_ configuration: Configuration) -> String {
    let count = configuration.settings.workers
    let listeners = configuration.listeners.map { "\($0.name)=\($0.address)" }
    return "the service \(configuration.name): \(count) \(count == 1 ? "worker" : "workers") of "
      + "\(configuration.worker.command[0]) as \(runner(configuration.worker.identity))"
      + (listeners.isEmpty ? "" : ", listening on \(listeners.joined(separator: ", "))")
  }

  /// The user that workers run as. Root must not be overlooked: an option in the wrong place may be the reason.
  private static func runner(_ identity: Identity?) -> String {
    guard let identity else {
      let own = geteuid()
      return own == 0 ? "ROOT (no 'user' is set)" : "\(Names.user(own)), who runs this check (no 'user' is set)"
    }
    let user = identity.user == 0 ? "ROOT" : "user \(Names.user(identity.user))"
    return "\(user), group \(Names.group(identity.group))"
  }
}
