/// Another supervisor for which a server may have been written: workers get what they would get from it.
package enum Compatibility: String, Hashable, Sendable, Codable, CaseIterable {
  /// `SERVER_STARTER_PORT` and `SERVER_STARTER_GENERATION`, as by Server::Starter.
  case serverStarter = "server-starter"
  /// `EINHORN_FD_*` and its like, as by einhorn, whose acknowledgement is understood.
  case einhorn
}
