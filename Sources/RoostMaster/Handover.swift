import CRoostLinux
import Glibc
import RoostConfiguration
import RoostJSON

/// The way from the process that parses to the master: a validated state in a nameless file, and execve of the master's
/// binary, so that nothing of the parser stays in memory. Pid, parent and arguments stay.
public struct Handover {
  /// The format of the state. A master refuses any other.
  private static let format = 1
  /// The environment variable that says where the state is, as `PID:DESCRIPTOR`. The pid tells it from one that was
  /// inherited.
  private static let variable = "ROOST_STATE"

  /// The path of the master's binary. Not its inode: a path follows a package's update.
  public let program: String
  /// The path of the binary that reads the configuration anew on reload, with the arguments of this process; nil if there
  /// is nothing to be read.
  public let reader: String?
  /// What the master is to do.
  public let configuration: Configuration

  /// A handover of the configuration to the master's binary.
  public init(program: String, reader: String?, configuration: Configuration) {
    self.program = program
    self.reader = reader
    self.configuration = configuration
  }

  /// Executes the program as the master, with the arguments of this process. Returns only by throwing.
  public func execute() throws(MasterError) -> Never {
    let descriptor = roost_memory_file("roost-state")
    guard descriptor >= 0 else { throw MasterError(cannot: "make a file for the state") }
    let state: JSON = [
      "format": .integer(Self.format), "program": .string(program),
      "reader": reader.map(JSON.string) ?? .null, "configuration": configuration.json,
    ]
    let bytes = Array(state.text.utf8)
    guard Self.write(bytes, to: descriptor), lseek(descriptor, 0, SEEK_SET) == 0 else {
      throw MasterError(cannot: "write the state")
    }
    setenv(Self.variable, "\(getpid()):\(descriptor)", 1)
    execv(program, CommandLine.unsafeArgv)
    throw MasterError(cannot: "execute \(program)")
  }

  /// The handover that this process was executed with, or nil if it wasn't.
  static func received() throws(MasterError) -> Handover? {
    guard let value = getenv(variable) else { return nil }
    var end: UnsafeMutablePointer<CChar>?
    let pid = strtol(value, &end, 10)
    guard pid == Int(getpid()), let end, end.pointee == CChar(UInt8(ascii: ":")) else { return nil }
    let descriptor = Descriptor(adopting: Int32(truncatingIfNeeded: strtol(end + 1, nil, 10)))
    unsetenv(variable)
    do {
      let state = try JSON(parsing: try readAll(descriptor))
      guard state["format"] == .integer(format), case .string(let program) = state["program"],
        let configuration = state["configuration"]
      else { throw MasterError("cannot take over: the state is of another version of roost") }
      var reader: String?
      if case .string(let path) = state["reader"] { reader = path }
      return Handover(program: program, reader: reader, configuration: try Configuration(json: configuration))
    } catch let error as MasterError {
      throw error
    } catch {
      throw MasterError("cannot take over: the state is damaged: \(error)")
    }
  }

  static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func readAll(_ descriptor: borrowing Descriptor) throws(MasterError) -> [UInt8] {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor.number, &part, part.count)
      guard count >= 0 else { throw MasterError(cannot: "read the state") }
      if count == 0 { return bytes }
      bytes += part[..<count]
    }
  }
}
