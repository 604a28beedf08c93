/// Words that are typed as commands but aren't, on purpose or because they are another tool's words: what to type
/// instead.
enum AbsentCommand {
  /// What to type instead of these arguments of the whole command line; nil if they begin with no such word. What is a
  /// command stays one.
  static func advice(for arguments: [String]) -> String? {
    let commands = RoostCommand.configuration.subcommands.map { $0.configuration.commandName }
    guard let word = arguments.first, !commands.contains(word) else { return nil }
    let name = arguments.dropFirst().first { !$0.hasPrefix("-") } ?? "NAME"
    return advice(word, name).map { "there is no 'roost \(word)': \($0)" }
  }

  private static func advice(_ word: String, _ name: String) -> String? {
    switch word {
    case "restart", "try-restart", "reload-or-restart", "force-reload", "graceful":
      "'roost reload \(name)' brings new workers and loses no request; 'systemctl restart roost@\(name)' stops the whole service"
        + " and starts it again"
    case "start", "up": "'systemctl start roost@\(name)', or in the foreground 'roost run \(name)'"
    case "enable", "disable": "'systemctl \(word) --now roost@\(name)'"
    case "kill", "quit", "shutdown", "down": "'roost stop \(name)', or under systemd 'systemctl stop roost@\(name)'"
    case "log", "journal", "tail": "'roost logs \(name)'"
    case "show", "info", "top", "watch": "'roost status \(name)', with --watch again every second"
    case "ls", "ps": "'roost list', and 'roost status \(name)' for the workers"
    case "test", "validate", "configtest", "verify":
      "'roost check \(name)' for the file, 'roost doctor \(name)' for a worker"
    case "upgrade-all": "'roost upgrade --all'"
    case "reload-all": "'roost reload --all'"
    case "version": "'roost --version'"
    default: nil
    }
  }
}
