import CRoostMaster
import Glibc

/// The walk from the root to a directory.
enum PathWalk {
  /// As many as the kernel follows (path_resolution(7)).
  private static let maximumLinks = 40

  /// Opens a directory, and adds those that can replace one on the way to it. A master that runs as root follows none
  /// of their links.
  static func open(_ path: String, _ outsiders: inout Outsiders) throws(FileError) -> Descriptor {
    // With the rights of one user, nothing is gained by leading the master somewhere else.
    guard geteuid() == 0, !UserNamespace.hasOneUser else { return try adopt(roost_look(AT_FDCWD, "\(path)/.")) }
    var current = try adopt(roost_look(AT_FDCWD, "/"))
    var names = components(path.utf8)
    var links = 0
    while let name = names.popLast() {
      let next = try adopt(roost_look(current.number, name))
      let status = try next.status()
      let some = Outsiders(replacing: status, in: try current.status())
      guard status.st_mode & S_IFMT == S_IFLNK else {
        outsiders.formUnion(some)
        current = next
        continue
      }
      try check(name, status, some)
      links += 1
      guard links <= maximumLinks, let target = Directory.target(next.number, "") else { throw .failed(ELOOP) }
      names += components(target)
      if target.first == UInt8(ascii: "/") { current = try adopt(roost_look(AT_FDCWD, "/")) }
    }
    return current
  }

  private static func adopt(_ number: Int32) throws(FileError) -> Descriptor {
    guard number >= 0 else { throw .failed(errno) }
    return Descriptor(adopting: number)
  }

  /// The last one first.
  private static func components(_ path: some Collection<UInt8>) -> [String] {
    path.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }.reversed()
  }

  /// A link is followed if no other user can replace it, with itself or with another of root's links.
  private static func check(_ name: String, _ link: stat, _ outsiders: Outsiders) throws(FileError) {
    guard let whom = outsiders.union(Outsiders(owning: link)).words else { return }
    throw .refused(
      "'\(name)' in it is a symbolic link that \(whom) can change, and root doesn't follow such a link; give the path that it"
        + " leads to")
  }
}
