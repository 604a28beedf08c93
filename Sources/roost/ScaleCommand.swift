import ArgumentParser
import RoostConfiguration
import RoostControl
import RoostJSON

struct ScaleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scale",
    abstract: "Change the number of workers.",
    usage: """
      roost scale <number> [<name>]
      roost scale +<number> [<name>]        (this many more)
      roost scale -<number> [<name>]        (this many fewer)
      """,
    discussion: """
      Holds until it is changed again, or a reload reads another number from the configuration. There are never fewer than \
      1 and never more than 1024.

      Exit status: 0 it is changed; 1 there can't be more, or fewer; 3 the service isn't running; 4 this user may not \
      operate it.
      """)

  @Argument(help: ArgumentHelp("How many workers to run, or how many more or fewer.", valueName: "number"))
  var workers: Workers

  @OptionGroup var selection: ServiceSelection

  func validate() throws {
    switch workers {
    case .total(let number):
      guard !Limits.workers.contains(number) else { return }
      throw ValidationError(
        "\(number) workers aren't possible: use 1 to \(Limits.workers.upperBound), or +1 and -1 for one more and one"
          + " fewer")
    case .change(0): throw ValidationError("+0 and -0 change nothing")
    // It goes as far as the limits of the number of workers.
    case .change: break
    }
  }

  func run() throws {
    try selection.operate { name, connection in
      do {
        let answer = try connection.call(ControlInterface.scale, workers.parameters)
        let before: Int = answer.member("workersBefore") ?? 0
        switch workers {
        case .total(let number): Terminal.write("\(name): \(before) → \(number) workers\n")
        case .change(let change): try tell(name, before, answer.member("workers") ?? before, change)
        }
      } catch ControlError.refused(VarlinkService.invalidParameter) where workers.isChange {
        try Failure.exit(
          "the version of the running master of \(name) doesn't know + and -: give the number of workers", 1)
      }
    }
  }

  private func tell(_ name: String, _ before: Int, _ now: Int, _ change: Int) throws {
    let bound = change < 0 ? "as few as there can be" : "as many as there can be"
    guard now != before else { try Failure.exit("\(name) has \(now) \(now == 1 ? "worker" : "workers"), \(bound)", 1) }
    Terminal.write("\(name): \(before) → \(now) workers" + (now == before + change ? "" : ", \(bound)") + "\n")
  }
}

extension ScaleCommand {
  /// A number of workers, absolute or relative to the present one.
  enum Workers: ExpressibleByArgument {
    case total(Int)
    case change(Int)

    private static let plus = UInt8(ascii: "+")

    /// Reads `3`, `+1` or `−1`.
    init?(argument: String) {
      let isFewer = argument.hasPrefix(ScaleCommand.minus)
      let isMore = argument.utf8.first == Self.plus
      let digits = isFewer || isMore ? argument.dropFirst() : argument[...]
      guard !digits.isEmpty, digits.utf8.allSatisfy(\.isDigit), let number = Int(digits) else {
        return nil
      }
      // Anything beyond the limit means the same.
      let change = min(number, Limits.workers.upperBound)
      self = isFewer ? .change(-change) : isMore ? .change(change) : .total(number)
    }

    var isChange: Bool { if case .change = self { true } else { false } }

    var parameters: JSON {
      switch self {
      case .total(let number): ["workers": .integer(number)]
      case .change(let number): ["change": .integer(number)]
      }
    }
  }

  /// The minus sign proper.
  private static let minus = "\u{2212}"

  /// The arguments of the whole command line, in which `scale -1` has a sign that isn't taken for the beginning of an
  /// option.
  static func spelled(_ arguments: [String]) -> [String] {
    guard arguments.first == configuration.commandName else { return arguments }
    return arguments.map { argument in
      let digits = argument.utf8.dropFirst()
      let isNumber = !digits.isEmpty && digits.allSatisfy(\.isDigit)
      return argument.utf8.first == UInt8(ascii: "-") && isNumber ? minus + argument.dropFirst() : argument
    }
  }
}
