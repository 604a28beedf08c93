/// A configuration file in TOML.
struct ConfigurationFile {
  /// Larger ones are no configuration.
  private static let maximumLength = 1 << 20

  /// What stands in it, in its order.
  let entries: [OptionEntry]

  init(_ file: InputFile) throws(Problems) {
    let bytes: [UInt8]
    do {
      bytes = try file.bytes(atMost: Self.maximumLength)
    } catch {
      throw Problems([Problem(.wholeFile(file.path), nil, error.text)])
    }
    entries = try TOMLReader.entries(of: try Text.checked(bytes, path: file.path), path: file.path)
  }
}
