extension TOMLReader {
  mutating func value(depth: Int) throws(Problems) -> Located {
    let place = cursor.place
    guard depth <= Self.maximumDepth else { throw expected("less nesting") }
    let value: OptionValue =
      switch cursor.next {
      case "\"", "'": .string(try string())
      case "[": .array(try array(depth: depth))
      case "{": .table(try inlineTable(depth: depth))
      default: try word()
      }
    return Located(value, at: place)
  }

  private mutating func array(depth: Int) throws(Problems) -> [Located] {
    let line = cursor.line
    cursor.take("[")
    var elements: [Located] = []
    while true {
      try skipLines()
      if cursor.take("]") { return elements }
      elements.append(try value(depth: depth + 1))
      try skipLines()
      guard cursor.take(",") || cursor.isAt("]") else {
        throw expected("',' or ']' in the array that begins in line \(line)")
      }
    }
  }

  private mutating func inlineTable(depth: Int) throws(Problems) -> [OptionEntry] {
    let table = TOMLTable(.head, at: cursor.place)
    cursor.take("{")
    cursor.skipBlanks()
    if cursor.take("}") { return [] }
    repeat { try member(of: table, depth: depth + 1, "a name in the line of the '{'") } while cursor.take(",")
    guard cursor.take("}") else { throw expected("',' or '}' in the line of the '{'") }
    return table.entries
  }

  /// A boolean, a number, a date or a time.
  private mutating func word() throws(Problems) -> OptionValue {
    let place = cursor.place
    var word = cursor.take(while: Self.isOfWord)
    if isTime(word), cursor.isAt(" ") {
      // A blank may stand between a date and a time.
      var ahead = cursor
      ahead.advance()
      let both = "\(word) \(ahead.take(while: Self.isOfWord))"
      if isTime(both) { (word, cursor) = (both, ahead) }
    }
    if let value = OptionValue(wordOfTOML: word) { return value }
    // What was meant often has more in it than a word can have, such as a path.
    word += cursor.take { !"#,]}\"'".unicodeScalars.contains($0) && !$0.properties.isWhitespace && !Self.isControl($0) }
    guard !word.isEmpty else { throw expected("a value") }
    let isNumber = word.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    let reason = isNumber ? "a number can't begin with '0', and " : ""
    throw Self.problem("\(reason)a string needs quotes, as in \"\(word)\"", at: place)
  }

  private static func isOfWord(_ scalar: Unicode.Scalar) -> Bool {
    isOfName(scalar) || scalar == "." || scalar == "+" || scalar == ":"
  }
}

extension OptionValue {
  /// Nil if the word is none of these.
  fileprivate init?(wordOfTOML word: String) {
    let plain = word.filter { $0 != "_" }
    if word == "true" || word == "false" {
      self = .boolean(word == "true")
    } else if let radix = ["0x": 16, "0o": 8, "0b": 2][word.prefix(2)], areDigits(word.dropFirst(2), radix: radix) {
      self = Int(plain.dropFirst(2), radix: radix).map(OptionValue.integer) ?? .other("the number \(word)")
    } else if isDecimal(word) {
      self = Int(plain).map(OptionValue.integer) ?? .other("the number \(word)")
    } else if isTime(word) {
      self = .other("the date or time \(word)")
    } else {
      return nil
    }
  }
}

/// Whether this is a number of decimal digits, perhaps with a sign, a fraction and a power of ten.
private func isDecimal(_ word: String) -> Bool {
  func unsigned(_ text: Substring) -> Substring { text.first == "+" || text.first == "-" ? text.dropFirst() : text }
  if ["inf", "nan"].contains(unsigned(word[...])) { return true }
  let factors = word.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
  let parts = unsigned(factors[0]).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
  return (parts[0] == "0" || !parts[0].hasPrefix("0")) && parts.allSatisfy { areDigits($0) }
    && factors.dropFirst().allSatisfy { areDigits(unsigned($0)) }
}

/// Whether these are digits, with '_' only between two of them.
private func areDigits(_ text: Substring, radix: Int = 10) -> Bool {
  text.split(separator: "_", omittingEmptySubsequences: false).allSatisfy { group in
    !group.isEmpty && group.allSatisfy { $0.hexDigitValue.map { $0 < radix } ?? false }
  }
}

/// Whether this has the form of a date, a time or both.
private func isTime(_ word: String) -> Bool {
  var form = word.map { $0.isNumber ? "0" : $0.uppercased() }.joined()[...]
  func take(_ part: String) -> Bool {
    guard form.hasPrefix(part) else { return false }
    form.removeFirst(part.count)
    return true
  }
  let hasDate = take("0000-00-00")
  if hasDate, form.isEmpty { return true }
  guard !hasDate || take("T") || take(" "), take("00:00:00") else { return false }
  if take(".") {
    guard take("0") else { return false }
    form = form.drop { $0 == "0" }
  }
  return form.isEmpty || hasDate && ["Z", "+00:00", "-00:00"].contains(form)
}
