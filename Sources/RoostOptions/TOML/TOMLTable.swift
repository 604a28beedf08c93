/// A table that is being read: a document adds to its tables in any order.
final class TOMLTable {
  /// By what it came to be, which decides what may be added to it.
  enum Origin {
    /// The head of another table leads through it, as through `a` in `[a.b]`.
    case way
    /// A head of its own, as `[a]`.
    case head
    /// As an element of an array, `[[a]]`.
    case element
    /// A name with dots leads through it, as through `a` in `a.b = 1`.
    case dots
  }

  private struct Member {
    let name: String
    let place: Place
    /// Nil where there are tables.
    let value: Located?
    /// One, or all elements of an array.
    var tables: [TOMLTable] = []

    var located: Located {
      if let value { return value }
      let all = tables.map { Located(.table($0.entries), at: $0.place) }
      return tables[0].origin == .element ? Located(.array(all), at: place) : all[0]
    }
  }

  private var origin: Origin
  private var place: Place
  private var members: [Member] = []
  /// By bytes: characters that look alike are equal in Swift, and aren't in TOML.
  private var indices: [[UInt8]: Int] = [:]

  init(_ origin: Origin, at place: Place) {
    self.origin = origin
    self.place = place
  }

  var entries: [OptionEntry] { members.map { OptionEntry($0.name, at: $0.place, $0.located) } }

  func add(_ value: Located, as name: String, at place: Place) throws(Problems) {
    if let index = indices[Array(name.utf8)] { throw taken(members[index], at: place) }
    append(Member(name: name, place: place, value: value))
  }

  /// The table of a name, to which something is going to be added. It is made where there is none.
  func table(_ name: String, as new: Origin, at place: Place) throws(Problems) -> TOMLTable {
    lazy var table = TOMLTable(new, at: place)
    guard let index = indices[Array(name.utf8)] else {
      append(Member(name: name, place: place, value: nil, tables: [table]))
      return table
    }
    guard let last = members[index].tables.last else { throw taken(members[index], at: place) }
    switch (last.origin, new) {
    case (_, .way): return last
    case (.element, .element):
      members[index].tables.append(table)
      return table
    case (.way, .head), (.way, .dots), (.dots, .dots):
      if new == .head { last.place = place }
      last.origin = new
      return last
    case (_, .head), (_, .element), (_, .dots): throw taken(members[index], at: place)
    }
  }

  private func append(_ member: Member) {
    indices[Array(member.name.utf8)] = members.count
    members.append(member)
  }

  private func taken(_ member: Member, at place: Place) -> Problems {
    guard case .file(_, let line, _) = member.place else { preconditionFailure("a place in a file") }
    return TOMLReader.problem("'\(member.name)' is there already, in line \(line)", at: place)
  }
}
