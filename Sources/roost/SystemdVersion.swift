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
    guard let text = try? Systemctl.output(["--version"], warns: false) else { return nil }
    return number(in: text)
  }()

  /// `systemd 252 (252.39-1~deb12u2)`
  static func number(in text: String) -> Int? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count > 1, words[0] == "systemd" else { return nil }
    return Int(words[1].prefix { $0.isNumber })
  }
}

/// systemctl(1)
enum Systemctl {
  /// What it prints. Throws unless it ends with status 0.
  static func output(_ arguments: [String], warns: Bool = true) throws(MasterError) -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["systemctl"] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    if !warns { process.standardError = FileHandle.nullDevice }
    do {
      try process.run()
      let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else { throw MasterError("systemctl doesn't say what the unit is") }
      return String(decoding: data, as: UTF8.self)
    } catch let error as MasterError {
      throw error
    } catch {
      throw MasterError("cannot run systemctl: \(error.localizedDescription)")
    }
  }
}
