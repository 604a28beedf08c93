import CRoostMaster
import Glibc
import RoostArguments
import RoostConfiguration
import RoostJSON

/// The way into the master's binary, from the process that parses and from a master that upgrades itself: a state in a
/// nameless file, and execve, so that nothing of the former program stays in memory. Pid, parent and arguments stay.
package struct Handover: Codable {
  /// The environment variable that says where the state is, as `PID:DESCRIPTOR`. The pid distinguishes it from an
  /// inherited one.
  private static let variable = "ROOST_STATE"

  /// The path of the master's binary. Not its inode: a path follows a package's update.
  package let program: String
  /// The path of the binary that reads the configuration again on reload, with the arguments of this process; nil if
  /// there is nothing to read.
  package let reader: String?
  package let configuration: Configuration
  /// What is wrong with the operator's configuration, if the recorded one is used instead.
  let trouble: String?
  /// Where the master was started; nil if a former version didn't say.
  let directory: String?
  /// What a master that upgrades itself continues with; nil at the start.
  let running: SavedState?

  /// Executes the program as the master, with the arguments of this process. Returns only by throwing, and then nothing
  /// has changed.
  package func execute() throws(MasterError) -> Never { try execute(givingBack: nil) }

  /// The same, from a master that has raised the limit of open files.
  func execute(givingBack openFiles: OpenFiles?) throws(MasterError) -> Never {
    let state = json
    let descriptor = Descriptor(adopting: try Self.file(of: state))
    setenv(Self.variable, PassedDescriptor.assignment([descriptor.number], from: getpid()), 1)
    let kept = SavedDescriptor.all(in: state)
    let areKept = SavedDescriptor.setCloseOnExec(false, kept)
    // Not before: more than that may be open.
    openFiles?.limit.giveBack()
    if areKept { execv(program, ProgramArguments.pointers) }
    let error = errno
    openFiles?.limit.raise()
    _ = SavedDescriptor.setCloseOnExec(true, kept)
    unsetenv(Self.variable)
    throw MasterError(cannot: areKept ? "execute \(program)" : "keep what is open", error)
  }

  /// The handover that this process was executed with, or nil if it wasn't.
  static func received() throws(MasterError) -> Handover? {
    guard let number = PassedDescriptor.take(variable, from: getpid())?.first else { return nil }
    let descriptor = Descriptor(adopting: number)
    let (handover, state) = try read(descriptor)
    guard SavedDescriptor.setCloseOnExec(true, SavedDescriptor.all(in: state)) else {
      throw MasterError("cannot take over: a descriptor of the state isn't open")
    }
    return handover
  }

  // MARK: The state as a file

  var json: JSON {
    guard case .object(let members) = JSON(of: self) else { preconditionFailure("no object") }
    return .object([JSON.Member("format", .integer(StateFormat.current))] + members)
  }

  /// The state in a file without a name, to be read from its beginning, and the descriptors that it mentions.
  func file() throws(MasterError) -> (number: Int32, kept: [Int32]) {
    let state = json
    return (try Self.file(of: state), SavedDescriptor.all(in: state))
  }

  private static func file(of state: JSON) throws(MasterError) -> Int32 {
    let number = roost_memory_file("roost-state")
    guard number >= 0 else { throw MasterError(cannot: "make a file for the state") }
    // An operator who limits logs doesn't mean the state, but a file in memory counts as a file (setrlimit(2)).
    let limit = RaisedLimit(RLIMIT_FSIZE)
    defer { limit.giveBack() }
    guard write(Array(state.text.utf8), to: number), lseek(number, 0, SEEK_SET) == 0 else {
      let error = errno
      close(number)
      throw MasterError(
        cannot: "write the state", error,
        hint: error == EFBIG ? "one of the master's limits is too low: RLIMIT_FSIZE, LimitFSIZE= of a unit" : nil)
    }
    return number
  }

  /// Reads a state of this format or an older one.
  static func read(_ descriptor: borrowing Descriptor) throws(MasterError) -> (Handover, JSON) {
    guard let bytes = descriptor.readAll(atMost: .max) else { throw MasterError(cannot: "read the state") }
    do {
      let state = try StateFormat.migrated(JSON(parsing: bytes))
      let handover = try state.decode(Handover.self)
      _ = try Configuration(json: state["configuration"] ?? .null)
      try handover.running?.check()
      return (handover, state)
    } catch {
      throw MasterError("cannot take over: \(StateFormat.reason(error))")
    }
  }

  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}

extension Handover {
  /// A handover of the configuration to the master's binary.
  /// `trouble` says why the configuration isn't what the operator has written.
  package init(program: String, reader: String?, configuration: Configuration, trouble: String? = nil) {
    self.init(
      program: program, reader: reader, configuration: configuration, trouble: trouble, directory: nil, running: nil)
  }
}
