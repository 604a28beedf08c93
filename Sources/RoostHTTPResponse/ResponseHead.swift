/// What the head of a response says.
package struct ResponseHead: Hashable, Sendable {
  /// What follows the head.
  enum Body: Hashable {
    case none
    case length(Int)
    case chunks
    case untilClose
  }

  /// From 100 to 999.
  package let status: Int
  /// Whether no other response follows on the connection.
  package let isLast: Bool
  let body: Body
  /// By names in lower case; of several of a name, the first.
  private let fields: [String: String]

  /// The value of a field, whose name is in lower case.
  package func field(_ name: String) -> String? { fields[name] }

  /// Reads lines, each with its end.
  init?(_ bytes: ArraySlice<UInt8>) {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
    guard !lines.isEmpty, let (status, isFirstVersion) = Self.status(lines.removeFirst()) else { return nil }
    var fields: [(name: String, value: String)] = []
    for line in lines {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
      fields.append((Self.text(line[..<colon]).lowercased(), Self.text(line[(colon + 1)...])))
    }
    func words(_ name: String) -> [String] {
      fields.filter { $0.name == name }.flatMap { $0.value.utf8.split(separator: UInt8(ascii: ",")) }
        .map { Self.text(ArraySlice(Array($0))).lowercased() }
    }
    var length: Int?
    for word in words("content-length") {
      guard let number = Self.number(ArraySlice(Array(word.utf8)), radix: 10), length ?? number == number else {
        return nil
      }
      length = number
    }
    let codings = words("transfer-encoding")
    if (100..<200).contains(status) || status == 204 || status == 304 {
      body = .none
    } else if let coding = codings.last {
      body = coding == "chunked" ? .chunks : .untilClose
    } else {
      body = length.map(Body.length) ?? .untilClose
    }
    let connection = words("connection")
    isLast =
      body == .untilClose || status == 101 || connection.contains("close")
      || isFirstVersion && !connection.contains("keep-alive")
    self.status = status
    self.fields = Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
  }

  /// Of `HTTP/1.1 200 OK`, of which the reason may be missing; and whether the version is the first, in which a connection
  /// has one response.
  static func status(_ line: ArraySlice<UInt8>) -> (Int, isFirstVersion: Bool)? {
    let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
    guard words.count >= 2, words[0].count == 8, words[0].starts(with: "HTTP/1.".utf8), words[1].count == 3,
      let status = number(words[1], radix: 10), status >= 100
    else { return nil }
    return (status, words[0].last == UInt8(ascii: "0"))
  }

  /// Digits and nothing else; nil for what no length can be.
  static func number(_ digits: ArraySlice<UInt8>, radix: Int) -> Int? {
    guard (1...15).contains(digits.count) else { return nil }
    var number = 0
    for byte in digits {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, digit < radix else { return nil }
      number = number * radix + digit
    }
    return number
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    let blanks: [UInt8] = [0x20, 0x09, 0x0d]
    var rest = bytes.drop { blanks.contains($0) }
    while let last = rest.last, blanks.contains(last) { rest.removeLast() }
    return String(decoding: rest, as: UTF8.self)
  }
}
