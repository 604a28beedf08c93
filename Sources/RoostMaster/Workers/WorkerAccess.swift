import CRoostSpawn
import Glibc
import RoostConfiguration

/// Something that the workers' user would have to do, but may not.
package struct AccessRefusal: Sendable {
  package enum Act: Sendable {
    /// Workers start in this directory.
    case enter(String)
    /// The file of the command, or of the option of this name.
    case execute(String, of: String?)
    /// A script is opened by its interpreter.
    case read(String)
    /// The first line of a script names its interpreter.
    case interpret(String, script: String)
  }

  package let act: Act
  /// The first on the way that refuses: a directory above, or the file or directory itself.
  package let place: String
  /// The error number (errno(3)).
  package let number: Int32
}

extension ReleaseResolver {
  /// What a start needs but the configuration's user may not do: enter the directory, execute the command, the hooks
  /// and the probe. It is tried as that user, in short-lived processes: mode bits say nothing about access control
  /// lists, nor about what a file system decides. Only root can try that; without root, and if workers keep the user,
  /// nothing is refused.
  package func refusals(_ configuration: WorkerConfiguration) throws(MasterError) -> [AccessRefusal] {
    guard geteuid() == 0, let identity = configuration.identity, identity.user != 0 else { return [] }
    let pinned = try pin(configuration)
    let access = WorkerAccess(identity: identity)
    var refused = access.refusals(entering: pinned.directory) + access.refusals(executing: pinned.executable, of: nil)
    var commands = [("before-reload", configuration.beforeReload), ("after-takeover", configuration.afterTakeover)]
    if case .command(let command) = configuration.probe { commands.append(("probe", command)) }
    for (option, command) in commands {
      guard let file = pinned.programs?.first(where: { $0.command == command?.first }) else { continue }
      refused += access.refusals(executing: file.path, of: option)
    }
    return refused
  }
}

/// What a user may do, tried with the user's ids.
private struct WorkerAccess {
  /// Only this much of a script's first line counts (BINPRM_BUF_SIZE in the kernel).
  private static let longestFirstLine = 256

  let identity: Identity

  func refusals(entering directory: String) -> [AccessRefusal] { refusals(.enter(directory), directory, X_OK) }

  func refusals(executing path: String, of option: String?) -> [AccessRefusal] {
    let refused = refusals(.execute(path, of: option), path, X_OK)
    guard refused.isEmpty, let interpreter = Self.interpreter(of: path) else { return refused }
    return refusals(.read(path), path, R_OK) + refusals(.interpret(interpreter, script: path), interpreter, X_OK)
  }

  private func refusals(_ act: AccessRefusal.Act, _ path: String, _ mode: Int32) -> [AccessRefusal] {
    guard let number = error(path, mode) else { return [] }
    var way = ""
    for name in path.utf8.split(separator: UInt8(ascii: "/")).dropLast() {
      // The root directory comes first.
      let place = way.isEmpty ? "/" : way
      if let number = error(place, X_OK) { return [AccessRefusal(act: act, place: place, number: number)] }
      way += "/" + String(Substring(name))
    }
    if !way.isEmpty, let number = error(way, X_OK) { return [AccessRefusal(act: act, place: way, number: number)] }
    return [AccessRefusal(act: act, place: path, number: number)]
  }

  /// Why it may not be done; nil if it may, or can't be tried.
  private func error(_ path: String, _ mode: Int32) -> Int32? {
    let groups = identity.supplementaryGroups + [0]
    let result = groups.withUnsafeBufferPointer { groups in
      var who = roost_spawn_identity(
        user: identity.user, group: identity.group, supplementary_groups: groups.baseAddress!,
        supplementary_group_count: groups.count - 1)
      return roost_access_as(&who, path, mode)
    }
    return result > 0 ? result : nil
  }

  /// What the first line of a script names (execve(2)); nil for anything else.
  private static func interpreter(of path: String) -> String? {
    let number = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard number >= 0 else { return nil }
    defer { close(number) }
    var bytes = [UInt8](repeating: 0, count: longestFirstLine)
    let count = read(number, &bytes, bytes.count)
    guard count > 2, bytes.starts(with: "#!".utf8) else { return nil }
    let blanks = " \t".utf8
    let line = bytes[2..<count].prefix { $0 != UInt8(ascii: "\n") }.drop { blanks.contains($0) }
    let name = String(decoding: line.prefix { !blanks.contains($0) }, as: UTF8.self)
    // Without links: what refuses is then on the way that is looked at.
    return name.hasPrefix("/") ? resolvedPath(name) : nil
  }
}
