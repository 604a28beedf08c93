import RoostConfiguration

/// What a configuration stands for in the file system, looked up once: whatever symbolic links lead to later, workers
/// that are started with it run the same (docs/decisions/0017-pinned-releases.md). It is complete: a release can be
/// made from it alone.
struct PinnedRelease: Codable {
  /// The directory that workers start in, without symbolic links.
  let directory: String
  /// The path of the executable, without symbolic links.
  let executable: String
  /// Whether that is a binary, which can be executed by its descriptor, unlike a script. nil from a version that didn't look.
  let isBinary: Bool?
  /// The operator's other commands. nil from a version that didn't look for them.
  let programs: [Program]?
  /// What the operator has configured, with pinned paths in place of those that lead through links. nil from a version
  /// that pinned nothing but the directory and the executable.
  let worker: WorkerConfiguration?

  /// A command and the file that it names.
  struct Program: Codable {
    let command: String
    let path: String
  }
}
