import RoostConfiguration
import RoostJSON

/// A configuration in the record. The newest is put into its written form only where it is written, by another process: a
/// reload has better things to do.
enum RecordedConfiguration: Codable {
  case own(Configuration)
  case written(JSON)

  /// nil if it was written by a version that knew other options, or by nobody who can be trusted.
  var configuration: Configuration? {
    switch self {
    case .own(let configuration): configuration
    case .written(let json): try? Configuration(json: json)
    }
  }

  var written: RecordedConfiguration {
    switch self {
    case .own(let configuration): .written(configuration.json)
    case .written: self
    }
  }

  init(from decoder: any Decoder) throws {
    self = .written(try decoder.singleValueContainer().decode(JSON.self))
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .own(let configuration): try container.encode(configuration)
    case .written(let json): try container.encode(json)
    }
  }
}
