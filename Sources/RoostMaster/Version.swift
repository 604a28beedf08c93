package enum Version {
  /// As in CHANGELOG.md.
  package static let number = "0.2.0"
}
