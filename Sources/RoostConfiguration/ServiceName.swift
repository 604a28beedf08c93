/// What a service may be called: the name becomes part of paths, socket addresses and log fields.
public enum ServiceName {
  private static let punctuation: Set<Character> = [".", "_", "-", "@"]

  /// Checks a name that the operator chose.
  public static func validate(_ name: String) throws(ConfigurationError) -> String {
    guard (1...64).contains(name.utf8.count), name.allSatisfy(isAllowed), name.first != "." else {
      throw ConfigurationError(
        "'\(name)' is no name for a service: use 1 to 64 letters, digits, '.', '_', '-' or '@', not beginning with '.'")
    }
    return name
  }

  /// The name for a command that was given none: that of its file.
  public static func derived(from program: String) -> String {
    let file = program.split(separator: "/").last ?? "service"
    let allowed = String(file.filter(isAllowed).drop { $0 == "." }.prefix(64))
    return allowed.isEmpty ? "service" : allowed
  }

  private static func isAllowed(_ character: Character) -> Bool {
    character.isASCII && (character.isLetter || character.isNumber || punctuation.contains(character))
  }
}
