import RoostConfiguration

extension OptionReader {
  /// Reads all of these that need no code of their own. Paths of the command line may begin in `directory`.
  func take<Root>(_ options: [OptionDefinition<Root>], into root: inout Root, in directory: String) {
    func put<Value>(_ value: Value?, _ place: OptionValueDefinition<Root>.Place<Value>) {
      if let value { place.set(&root, value) }
    }
    for option in options {
      let name = option.name
      switch option.value {
      case .duration(let place, let shortest): put(duration(name, shortest), place)
      case .integer(let place, let range): put(integer(name, range), place)
      case .boolean(let place): put(boolean(name), place)
      case .choice(let place, let names): put(choice(name, among: names), place)
      case .path(let place): put(path(name, in: directory), place)
      case .mode(let place, let example): put(mode(name, example), place)
      case .hook(let place): put(hook(name), place)
      case .custom: break
      }
    }
  }

  /// A duration, and what is wrong with one that is too short.
  func duration(_ option: String, _ shortest: ShortestDuration) -> Duration? {
    let duration = duration(option)
    if let duration, duration < shortest.duration {
      switch shortest {
      case .zero: break
      case .above(let objection): report(option, objection)
      case .atLeast(let least): report(option, "\(duration.text) is too short, expected at least \(least.text)")
      }
    }
    return duration
  }

  private func mode(_ option: String, _ example: String) -> UInt32? {
    parsed(option, "octal digits such as \"\(example)\"") { text throws(ConfigurationError) in
      guard (1...4).contains(text.utf8.count), let mode = UInt32(text, radix: 8), Limits.mode.contains(Int(mode)) else {
        throw ConfigurationError("found \"\(text)\", expected octal digits from \"0000\" to \"0777\"")
      }
      return mode
    }
  }
}
