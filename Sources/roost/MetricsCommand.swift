import ArgumentParser
import RoostControl
import RoostJSON

struct MetricsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "metrics",
    abstract: "Print a service's metrics as OpenMetrics text.",
    discussion: """
      The same that --metrics serves over HTTP (docs/metrics.md).

      Exit status: 0 they are printed; 3 the service isn't running; 4 this user may not operate it.
      """)

  @OptionGroup var selection: ServiceSelection

  func run() throws {
    try selection.operate { _, connection in
      Terminal.write(try connection.call(ControlInterface.metrics).member("text") ?? "")
    }
  }
}
