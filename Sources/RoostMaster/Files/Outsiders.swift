import Glibc

/// The users and groups that can make a path lead somewhere else, other than root and the master's user.
struct Outsiders {
  private var users: Set<uid_t> = []
  private var groups: Set<gid_t> = []
  private var isEverybody = false

  init() {}

  /// The owner of a file.
  init(owning file: stat) {
    if !Self.isOwn(file), UserNamespace.isKnown(file.st_uid, in: .users) { users.insert(file.st_uid) }
  }

  /// Those that can replace a file of a directory with another (inode(7)).
  init(replacing file: stat, in directory: stat) {
    self.init(owning: directory)
    if directory.st_mode & S_ISVTX != 0, directory.st_mode & (S_IWOTH | S_IWGRP) != 0 {
      formUnion(Outsiders(owning: file))
    } else if directory.st_mode & S_IWOTH != 0 {
      isEverybody = true
    } else if directory.st_mode & S_IWGRP != 0, directory.st_gid != getegid(),
      UserNamespace.isKnown(directory.st_gid, in: .groups)
    {
      groups.insert(directory.st_gid)
    }
  }

  mutating func formUnion(_ others: Outsiders) {
    users.formUnion(others.users)
    groups.formUnion(others.groups)
    isEverybody = isEverybody || others.isEverybody
  }

  consuming func union(_ others: Outsiders) -> Outsiders {
    formUnion(others)
    return self
  }

  /// In words, if there are any.
  var words: String? {
    if isEverybody { return "everybody" }
    let all = users.sorted().map { "user \($0)" } + groups.sorted().map { "group \($0)" }
    return all.isEmpty ? nil : all.joined(separator: " and ")
  }

  /// The rights that all of them have, if there are any: what is done with these gains them nothing. A directory's
  /// owner belongs to its group.
  var rights: (user: uid_t, group: gid_t)? {
    if words == nil { return nil }
    if isEverybody { return (UserNamespace.nobody, UserNamespace.nobody) }
    if users.count <= 1, groups.count == 1, let group = groups.first { return (UserNamespace.nobody, group) }
    if users.count == 1, groups.isEmpty, let user = users.first { return (user, UserNamespace.nobody) }
    return (UserNamespace.nobody, UserNamespace.nobody)
  }

  /// Whether a file belongs to root or to the master's user.
  static func isOwn(_ status: stat) -> Bool { status.st_uid == 0 || status.st_uid == geteuid() }
}
