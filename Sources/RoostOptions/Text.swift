/// The text of a file.
enum Text {
  /// Bytes as text. Throws with the place where they are none, or where there is a NUL, which no argument and no variable can
  /// contain.
  static func checked(_ bytes: [UInt8], path: String) throws(Problems) -> String {
    func problem(_ offset: Int, _ words: String) -> Problems {
      let before = bytes[..<offset]
      let line = before.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      let column = String(decoding: line.last ?? [], as: UTF8.self).count + 1
      return Problems([Problem(.file(path, line: line.count, column: column), nil, words)])
    }
    do {
      _ = try UTF8Span(validating: bytes.span)
    } catch {
      throw problem(error.byteOffsets.lowerBound, "isn't UTF-8")
    }
    if let offset = bytes.firstIndex(of: 0) { throw problem(offset, "contains a NUL character") }
    return String(decoding: bytes, as: UTF8.self)
  }
}
