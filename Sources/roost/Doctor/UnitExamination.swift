import ArgumentParser
import Foundation
import RoostConfiguration
import RoostMaster
import RoostOptions

/// Compares a systemd unit with the configuration that it runs.
struct UnitExamination {
  /// What is looked at, in the order in which it is reported.
  static let properties = [
    "ExecStart", "Type", "NotifyAccess", "KillMode", "TimeoutStopSec", "OOMPolicy", "ExecReload",
    "FileDescriptorStoreMax", "RuntimeDirectory", "Conflicts", "LimitNOFILE", "SystemCallFilter",
    "SystemCallErrorNumber", "StateDirectory", "LoadCredential", "Delegate", "TriggeredBy",
    "StartLimitIntervalSec", "RestartSteps", "FileDescriptorStorePreserve",
  ]

  private let unit: UnitProperties
  /// The unit that was asked for, if another is used because it isn't there.
  private let absent: String?
  private let report: DoctorReport

  /// Looks up a unit; if there is none of that name, the template's unit for the service of that name.
  init(_ name: String, report: DoctorReport) throws {
    self.report = report
    let asked = try UnitProperties(shown: name)
    // systemctl has taken it for the name of a service: it has neither a type nor an instance.
    guard asked.isAbsent, asked.name == "\(name).service", !name.contains("@") else {
      absent = nil
      unit = try asked.loaded()
      return
    }
    absent = asked.name
    unit = try UnitProperties(of: "roost@\(name).service", or: asked.name)
  }

  /// `given` is what the command line says of the configuration; without it the unit's own command counts.
  func run(_ given: ServiceSource) throws {
    let command = UnitCommandLine(parsing: unit["ExecStart"])
    guard let run = command.arguments(of: "run") else {
      let seen = command.words.isEmpty ? "starts nothing" : command.words.joined(separator: " ")
      return report.add(
        .failure("ExecStart", seen, mend: "run the master itself, not through a shell: ExecStart=/usr/bin/roost run …"))
    }
    let configuration = try configuration(run, given)
    let besides = absent.map { ", as there is no \($0)" } ?? ""
    report.headline("\(unit.name), the service \(configuration.name)\(besides)")
    report.add(
      unit["NeedDaemonReload"] == "yes"
        ? .warning("ExecStart", "the unit's file has changed since systemd read it", mend: "systemctl daemon-reload")
        : .ok("ExecStart", command.words.joined(separator: " ")))
    let rules = UnitRules(unit: unit, configuration: configuration)
    for finding in [
      rules.type, rules.notifyAccess, rules.killMode, rules.timeoutStop, rules.oomPolicy, rules.execReload,
      rules.descriptorStore, rules.runtimeDirectory, rules.conflicts(with: rivals(of: configuration)), rules.openFiles,
      rules.systemCalls, rules.systemCallError, rules.ownDirectories, rules.credentials,
      rules.delegation, rules.triggered(by: sockets(of: configuration)),
      rules.startLimit, rules.restartSteps, rules.preservedStore,
    ] {
      report.add(finding)
    }
  }

  /// Other units of the same service, by the names that docs/operating.md gives them.
  private func rivals(of configuration: Configuration) -> [UnitProperties] {
    ["roost@\(configuration.name).service", "\(configuration.name).service"].filter { $0 != unit.name }
      .compactMap { try? UnitProperties(of: $0) }
      .filter { UnitCommandLine(parsing: $0["ExecStart"]).arguments(of: "run") != nil }
  }

  /// The .socket units that are for this one, and those that have its name but are for another.
  private func sockets(of configuration: Configuration) -> [UnitProperties] {
    let named = ["\(configuration.name).socket", "roost@\(configuration.name).socket"]
    let known = unit["TriggeredBy"].split(separator: " ").map(String.init).filter { $0.hasSuffix(".socket") }
    return (known + named.filter { !known.contains($0) }).compactMap { try? UnitProperties(of: $0) }
  }

  private func configuration(_ arguments: [String], _ given: ServiceSource) throws -> Configuration {
    if given.file != nil { return try given.configuration(example: "roost doctor --unit UNIT") }
    do {
      return try RunCommand.parse(arguments).configuration()
    } catch let error where !(error is Problems) {
      throw MasterError(
        "cannot determine the configuration of \(unit.name) from its ExecStart (\(RunCommand.message(for: error)));"
          + " name it with --config"
      )
    }
  }
}

/// What systemd says of a unit (systemctl(1), `show`).
struct UnitProperties {
  let name: String
  private let values: [String: String]

  /// For a unit that is there. `other` is one that isn't.
  init(of name: String, or other: String? = nil) throws(MasterError) {
    self = try UnitProperties(shown: name).loaded(or: other)
  }

  /// For one that need not be there.
  init(shown name: String) throws(MasterError) {
    let text = try SystemdProgram.systemctl(["show", "--no-pager", "--", name])
    var values: [String: String] = [:]
    for line in text.split(separator: "\n") {
      guard let equals = line.firstIndex(of: "=") else { continue }
      values[String(line[..<equals])] = String(line[line.index(after: equals)...])
    }
    self.values = values
    self.name = values["Id"] ?? name
  }

  /// Whether it starts a unit, as a .socket unit does.
  func triggers(_ name: String) -> Bool { self["Triggers"].split(separator: " ").contains { $0 == name } }

  var isAbsent: Bool { self["LoadState"] == "not-found" }

  fileprivate func loaded(or other: String? = nil) throws(MasterError) -> UnitProperties {
    if self["LoadState"] == "loaded" { return self }
    let names = other.map { "\($0), nor \(name)" } ?? name
    throw MasterError("systemd has no unit \(names) to compare: it is \(self["LoadState"])")
  }

  subscript(property: String) -> String { values[property] ?? "" }

  /// Whether its files, with their drop-ins, give it a credential; `show` doesn't tell.
  var hasCredentials: Bool {
    // It warns of changed files, which is reported for ExecStart.
    let text = (try? SystemdProgram.systemctl(["cat", "--no-pager", "--", name], warns: false)) ?? ""
    var given: Set<Substring> = []
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, Self.credentialSettings.contains(String(parts[0])) else { continue }
      // An empty value undoes what was said before.
      if parts[1].isEmpty { given.remove(parts[0]) } else { given.insert(parts[0]) }
    }
    return !given.isEmpty
  }

  private static let credentialSettings = [
    "LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted", "ImportCredential",
  ]
}

/// A command of a unit, as systemctl shows it: `{ path=/usr/bin/roost ; argv[]=/usr/bin/roost run … ; ignore_errors=no ; … }`
struct UnitCommandLine {
  /// Its words. systemctl doesn't show which blanks belong to a word.
  let words: [String]

  init(parsing text: String) {
    guard let start = text.range(of: "argv[]="),
      let end = text.range(of: " ; ignore_errors=", range: start.upperBound..<text.endIndex)
    else {
      words = []
      return
    }
    words = text[start.upperBound..<end.lowerBound].split(separator: " ").map(String.init)
  }

  /// What follows `roost SUBCOMMAND`; nil if it is another command.
  func arguments(of subcommand: String) -> [String]? {
    guard words.count >= 2, words[0] == "roost" || words[0].hasSuffix("/roost"), words[1] == subcommand else {
      return nil
    }
    return Array(words.dropFirst(2))
  }
}
