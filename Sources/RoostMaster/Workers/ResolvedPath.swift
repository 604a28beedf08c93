import Glibc

/// Where a path leads, and whether it passes a symbolic link that a deployment may move. Works on bytes: names in a
/// file system need not be text.
struct ResolvedPath {
  /// As many as the kernel follows (path_resolution(7)).
  private static let maximumLinks = 40
  /// No release lives there, and what is there is looked up again for good reasons: the kernel's own files, which
  /// differ for each process (/proc/self, /dev/stdout), and files that are replaced for running programs, such as
  /// certificates.
  private static let unpinned = ["/proc", "/sys", "/dev", "/run", "/etc"].map { Array($0.utf8) }
  private static let slash = UInt8(ascii: "/")
  private static let dot = UInt8(ascii: ".")

  /// The path without symbolic links.
  let path: [UInt8]
  let leadsOverLink: Bool

  /// Looks for an absolute path. nil if it isn't there, or isn't to be pinned.
  init?(_ wanted: some Sequence<UInt8>) {
    var names = Self.components(Array(wanted))
    var path: [UInt8] = []
    var links = 0
    var leadsOverLink = false
    while let name = names.popLast() {
      if name == [Self.dot] { continue }
      if name == [Self.dot, Self.dot] {
        path.removeSubrange((path.lastIndex(of: Self.slash) ?? 0)...)
        continue
      }
      let next = path + [Self.slash] + name
      if Self.unpinned.contains(next) || Self.isReplacedForReaders(name) { return nil }
      guard let target = Self.target(of: next) else {
        guard errno == EINVAL else { return nil }
        path = next
        continue
      }
      links += 1
      guard links <= Self.maximumLinks else { return nil }
      if !Self.isMergedDirectory(next, target) { leadsOverLink = true }
      names += Self.components(target)
      if target.first == Self.slash { path = [] }
    }
    self.path = path.isEmpty ? [Self.slash] : path
    self.leadsOverLink = leadsOverLink
  }

  /// A ConfigMap or a Secret that Kubernetes mounts is replaced by moving a link named `..data`, and its former files
  /// are removed at once: their readers have to follow the link.
  private static func isReplacedForReaders(_ name: [UInt8]) -> Bool {
    name.count > 2 && name[0] == dot && name[1] == dot
  }

  /// `/bin` and the like lead to `/usr/bin` for good (file-hierarchy(7)).
  private static func isMergedDirectory(_ link: [UInt8], _ target: [UInt8]) -> Bool {
    link.lastIndex(of: slash) == 0 && (target == "usr".utf8 + link || target == "/usr".utf8 + link)
  }

  /// Where a link leads; nil with errno, which is EINVAL if it isn't a link.
  private static func target(of path: [UInt8]) -> [UInt8]? {
    (path + [0]).withUnsafeBytes {
      Directory.target(AT_FDCWD, $0.baseAddress!.assumingMemoryBound(to: CChar.self))
    }
  }

  /// The last one first.
  private static func components(_ path: [UInt8]) -> [[UInt8]] {
    path.split(separator: slash).map(Array.init).reversed()
  }
}
