import Foundation
import RoostConfiguration

extension Options {
  func reuseport(_ own: OptionReader) -> Reuseport? {
    guard let value = own.located("reuseport") else { return nil }
    switch value.value {
    case .boolean(true), .text("true"): return .even
    case .boolean(false), .text("false"): return nil
    case .string("cpu"), .text("cpu"): return .cpu
    case .string, .text, .integer, .array, .table, .other:
      return own.expected("true, false or \"cpu\"", value, "reuseport")
    }
  }

  /// With more workers than processors some slots would never get a connection.
  func checkProcessors(_ listeners: [ListenerConfiguration], workers: Int, _ reader: OptionReader) {
    guard workers > ProcessInfo.processInfo.processorCount else { return }
    for (listener, element) in zip(listeners, reader.list("listen")) where listener.reuseport == .cpu {
      reader.report(
        element, "listen",
        "\"cpu\" gives each slot a processor of its own, and there are fewer processors than workers; see workers = "
          + "\"auto\"")
    }
  }
}
