import RoostCore

/// Everything that the master has to know, validated.
package struct Configuration: Hashable, Sendable, Codable {
  package var name: String
  /// What is listened on, in the order of the workers' descriptors.
  package var listeners: [ListenerConfiguration]
  /// An absolute path.
  package var pidFile: String?
  /// Where the service is operated, or nil if there is no place for a control socket.
  package var control: ControlConfiguration?
  /// Where it is recorded what has served, or nil if nowhere.
  package var history: HistoryConfiguration?
  /// Where metrics are served over HTTP, or nil if nowhere.
  package var metrics: Address?
  package var worker: WorkerConfiguration
  package var settings: Settings
}

package struct ControlConfiguration: Hashable, Sendable, Codable {
  /// The directory of the socket and its lock: an absolute path.
  package var directory: String
  /// A group whose members may operate the service too.
  package var group: UInt32?

  package init(directory: String, group: UInt32? = nil) {
    self.directory = directory
    self.group = group
  }
}

/// The record of the generations that have served.
package struct HistoryConfiguration: Hashable, Sendable, Codable {
  /// How many generations it keeps if nobody has chosen.
  package static let defaultLength = 5

  /// The directory of the record: an absolute path.
  package var directory: String
  /// How many generations that have served it keeps.
  package var length: Int

  package init(directory: String, length: Int = defaultLength) {
    self.directory = directory
    self.length = length
  }
}
