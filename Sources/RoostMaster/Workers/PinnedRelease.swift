import RoostConfiguration
import RoostJSON

/// What a configuration stands for in the file system, looked up once: whatever symbolic links lead to later, workers that
/// are started with it run the same (docs/decisions/0017-pinned-releases.md). It is complete: a release can be made of it
/// alone.
struct PinnedRelease: Codable {
  /// The directory that workers start in, without symbolic links.
  let directory: String
  /// The path of the executable, without symbolic links.
  let executable: String
  /// Whether that is a binary, which can be executed by its descriptor, unlike a script. nil from a version that didn't look.
  let isBinary: Bool?
  /// The operator's other commands. nil from a version that didn't look for them.
  let programs: [Program]?
  /// What the operator has configured, with pinned paths in place of the ones that lead over links. nil from a version
  /// that pinned nothing but the directory and the executable.
  let worker: WorkerConfiguration?

  /// A command and the file that it names.
  struct Program: Codable {
    let command: String
    let path: String
  }

  private enum CodingKeys: CodingKey {
    case directory, executable, isBinary, programs, worker
  }

  init(directory: String, executable: String, isBinary: Bool?, programs: [Program]?, worker: WorkerConfiguration?) {
    self.directory = directory
    self.executable = executable
    self.isBinary = isBinary
    self.programs = programs
    self.worker = worker
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    directory = try container.decode(String.self, forKey: .directory)
    executable = try container.decode(String.self, forKey: .executable)
    isBinary = try container.decodeIfPresent(Bool.self, forKey: .isBinary)
    programs = try container.decodeIfPresent([Program].self, forKey: .programs)
    do {
      worker = try container.decodeIfPresent(JSON.self, forKey: .worker).map(WorkerConfiguration.init(json:))
    } catch let error as ConfigurationError {
      throw DecodingError.dataCorruptedError(forKey: .worker, in: container, debugDescription: "\(error)")
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(directory, forKey: .directory)
    try container.encode(executable, forKey: .executable)
    try container.encodeIfPresent(isBinary, forKey: .isBinary)
    try container.encodeIfPresent(programs, forKey: .programs)
    try container.encodeIfPresent(worker?.json, forKey: .worker)
  }
}
