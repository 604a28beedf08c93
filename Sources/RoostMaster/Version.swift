/// The version of Roost.
public enum Version {
  /// As in CHANGELOG.md.
  public static let number = "0.2.0"
}
