import CRoostSystemd
import Glibc

/// The descriptors that systemd passed to this process (sd_listen_fds_with_names(3)).
package enum InheritedDescriptors {
  /// What was supposedly passed can't be taken.
  package struct Failure: Error, Hashable {
    /// One line for the operator: which variable has which value, and what is wrong with it.
    package let description: String
  }

  /// Descriptor and name of each, in their order; close-on-exec from now on. None if they are meant for another
  /// process.
  package static func all() throws(Failure) -> [(descriptor: Int32, name: String)] {
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let count = sd_listen_fds_with_names(0, &names)
    guard count >= 0 else {
      let variables = Variables.ofThisProcess
      let reason = "\(String(cString: strerror(-count))) (\(variables.fault ?? variables.all))"
      throw Failure(description: "cannot take the descriptors that systemd passed: \(reason)")
    }
    defer { free(names) }
    return (0..<Int(count)).map { index in
      defer { free(names?[index]) }
      // Without LISTEN_FDNAMES libsystemd calls each of them "unknown" itself.
      let name = names?[index].map { String(cString: $0) } ?? "unknown"
      return (SD_LISTEN_FDS_START + Int32(index), name)
    }
  }

  /// The variables in which systemd says what it has passed. libsystemd only returns an error number, the same for all
  /// problems.
  struct Variables {
    let process: String?
    let count: String?
    let names: String?
    let isOpen: @Sendable (Int32) -> Bool

    static var ofThisProcess: Variables {
      func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
      return Variables(
        process: value("LISTEN_PID"), count: value("LISTEN_FDS"), names: value("LISTEN_FDNAMES"),
        isOpen: { fcntl($0, F_GETFD) >= 0 })
    }

    /// For what only libsystemd finds.
    var all: String {
      [("LISTEN_PID", process), ("LISTEN_FDS", count), ("LISTEN_FDNAMES", names)].compactMap { name, value in
        value.map { "\(name) is '\($0)'" }
      }.joined(separator: ", ")
    }

    /// What is wrong with them, and what to do; nil if nothing is.
    var fault: String? {
      guard let process else { return nil }
      guard let pid = pid_t(process), pid > 0 else {
        return "LISTEN_PID is '\(process)', which isn't a process id; \(Self.remedy)"
      }
      guard let count else { return nil }
      guard let number = Int32(count), (1...Int32.max - SD_LISTEN_FDS_START).contains(number) else {
        return "LISTEN_FDS is '\(count)', which isn't a number of descriptors; \(Self.remedy)"
      }
      let end = SD_LISTEN_FDS_START + number
      if let closed = (SD_LISTEN_FDS_START..<end).first(where: { !isOpen($0) }) {
        return "LISTEN_FDS is '\(count)', but descriptor \(closed) isn't open; \(Self.remedy)"
      }
      // As libsystemd counts them: names are separated by colons, and a backslash escapes a colon.
      guard let names else { return nil }
      let found = Self.count(of: names)
      guard found == Int(number) else {
        return "LISTEN_FDNAMES is '\(names)', which has \(found) names, but LISTEN_FDS is '\(count)'; \(Self.remedy)"
      }
      return nil
    }

    private static let remedy = "unset LISTEN_PID if systemd hasn't set it"

    private static func count(of names: String) -> Int {
      var count = 1
      var isEscaped = false
      for byte in names.utf8 {
        if !isEscaped, byte == UInt8(ascii: ":") { count += 1 }
        isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
      }
      return count
    }
  }
}
