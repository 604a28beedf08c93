import Foundation
import RoostMaster

/// Which version of systemd has which settings of a unit.
enum SystemdVersion {
  /// RestartSteps= and RestartMaxDelaySec=
  static let withRestartSteps = 254
  /// From here on FileDescriptorStorePreserve= keeps its promise. 254 to 261 lose the store over a stop (measured).
  static let withPreservedStore = 262

  /// The installed version, according to systemctl(1); nil if there is none.
  static let installed: Int? = {
    guard let text = try? SystemdProgram.systemctl(["--version"], warns: false) else { return nil }
    return number(in: text)
  }()

  /// `systemd 252 (252.39-1~deb12u2)`
  static func number(in text: String) -> Int? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count > 1, words[0] == "systemd" else { return nil }
    return Int(words[1].prefix { $0.isNumber })
  }
}

/// A program of systemd's, such as systemctl(1).
enum SystemdProgram {
  /// What it prints, and its exit status.
  static func run(_ words: [String], warns: Bool) throws -> (output: String, status: Int32) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = words
    let pipe = Pipe()
    process.standardOutput = pipe
    if !warns { process.standardError = FileHandle.nullDevice }
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (String(decoding: data, as: UTF8.self), process.terminationStatus)
  }

  /// What systemctl prints. Throws unless it ends with status 0.
  static func systemctl(_ arguments: [String], warns: Bool = true) throws(MasterError) -> String {
    let (output, status): (String, Int32)
    do {
      (output, status) = try run(["systemctl"] + arguments, warns: warns)
    } catch {
      throw MasterError("cannot run systemctl: \(error.localizedDescription)")
    }
    guard status == 0 else { throw MasterError("systemctl doesn't say what the unit is") }
    return output
  }
}
