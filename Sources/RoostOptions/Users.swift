import Glibc
import RoostConfiguration

/// Looks up users and groups, by name or number.
enum Users {
  struct Person {
    let identity: Identity
    /// What a login would set.
    let environment: [(name: String, value: String)]
  }

  private struct Account {
    let name: String
    let user: uid_t
    let group: gid_t
    let home: String
    let shell: String
  }

  /// Whom the workers run as, or nil for the master's own user.
  static func identity(_ reader: OptionReader) -> Person? {
    let wanted = reader.located("user")
    let account = wanted.flatMap { Self.account($0, "user", reader) }
    let group = reader.located("group").flatMap { Self.group($0, "group", reader) }
    let extra = reader.list("supplementary-group").compactMap { Self.group($0, "supplementary-group", reader) }
    let asked = ["user", "group", "supplementary-group"].filter(reader.has)
    guard !asked.isEmpty else { return nil }
    if wanted != nil, account == nil { return nil }
    let own = geteuid()
    if own != 0 {
      let isOther = account != nil && account?.user != own || group != nil && group != getegid()
      if isOther || !extra.isEmpty {
        reader.report(asked[0], "only root can run workers as another user or group, and this is user \(own)")
      }
      return nil
    }
    let primary = group ?? account?.group ?? getegid()
    let groups = account.map { memberships(of: $0, primary: primary) } ?? ownGroups()
    let all = (groups + extra).reduce(into: [gid_t]()) { if !$0.contains($1) { $0.append($1) } }
    let identity = Identity(user: account?.user ?? own, group: primary, supplementaryGroups: all)
    guard let account else { return Person(identity: identity, environment: []) }
    let environment = [
      ("HOME", account.home), ("LOGNAME", account.name), ("USER", account.name), ("SHELL", account.shell),
    ]
    return Person(identity: identity, environment: environment)
  }

  static func group(_ value: Located, _ option: String, _ reader: OptionReader) -> gid_t? {
    if case .integer(let number) = value.value, let id = gid_t(exactly: number), id != .max { return id }
    guard let name = reader.string(value, option, "the name or the number of a group") else { return nil }
    if let found = getgrnam(name) { return found.pointee.gr_gid }
    if let id = gid_t(name), id != .max { return id }
    return reader.refuse(value, option, "there is no group \"\(name)\" on this machine; 'getent group' lists them")
  }

  static func user(_ value: Located, _ option: String, _ reader: OptionReader) -> uid_t? {
    account(value, option, reader)?.user
  }

  private static func account(_ value: Located, _ option: String, _ reader: OptionReader) -> Account? {
    if case .integer(let number) = value.value, let id = uid_t(exactly: number), id != .max { return account(id) }
    guard let name = reader.string(value, option, "the name or the number of a user") else { return nil }
    if let found = getpwnam(name) { return account(found.pointee) }
    if let id = uid_t(name), id != .max { return account(id) }
    return reader.refuse(value, option, "there is no user \"\(name)\" on this machine; 'getent passwd' lists them")
  }

  /// A number needs no entry among the users: then there is only the number.
  private static func account(_ id: uid_t) -> Account {
    if let found = getpwuid(id) { return account(found.pointee) }
    return Account(name: "\(id)", user: id, group: gid_t(id), home: "/", shell: "/bin/sh")
  }

  private static func account(_ entry: passwd) -> Account {
    Account(
      name: String(cString: entry.pw_name), user: entry.pw_uid, group: entry.pw_gid,
      home: String(cString: entry.pw_dir), shell: String(cString: entry.pw_shell))
  }

  private static func memberships(of account: Account, primary: gid_t) -> [gid_t] {
    var count: Int32 = 64
    while true {
      var groups = [gid_t](repeating: 0, count: Int(count))
      if getgrouplist(account.name, primary, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
      count = max(count, Int32(groups.count) * 2)
    }
  }

  private static func ownGroups() -> [gid_t] {
    var groups = [gid_t](repeating: 0, count: 65536)
    return Array(groups.prefix(Int(max(0, getgroups(Int32(groups.count), &groups)))))
  }
}
