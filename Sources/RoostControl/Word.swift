/// A word of the interface's. A master of another version may say one that isn't known here, which is shown as it is.
package struct Word<Known: RawRepresentable<String>>: RawRepresentable, Codable, Hashable, Sendable {
  package let rawValue: String

  package init(rawValue: String) { self.rawValue = rawValue }
  package init(_ known: Known) { rawValue = known.rawValue }

  package var known: Known? { Known(rawValue: rawValue) }
  package static func == (word: Self, known: Known) -> Bool { word.rawValue == known.rawValue }
}
