import CRoostMaster
import Glibc

/// The directory or the executable of a release, kept open without being used (O_PATH in open(2)): whatever becomes of
/// its path, it stays the same, and can be distinguished from another.
final class PinnedFile {
  private let descriptor: Descriptor
  /// Not every file system reveals this: some count no names.
  private let hadNames: Bool

  struct Saved: Codable {
    let file: SavedDescriptor
    let hadNames: Bool
  }

  /// Opens a path without symbolic links, right after it was found. If a file system may hang, only if the kernel knows
  /// the way without asking that file system (RESOLVE_CACHED in openat2(2)), as it does a moment after another process
  /// looked; nil otherwise: then the path alone has to do, and the process that is started by it waits in the master's
  /// place. The other process could open it and pass the descriptor, but that would take a socket beside the pipe of
  /// its answer, in the state of an upgrade too, for the few file systems of which the kernel remembers nothing.
  static func open(_ path: String, mayHang: Bool) throws(MasterError) -> PinnedFile? {
    let number = mayHang ? roost_look_cached(path) : roost_look(AT_FDCWD, path)
    guard number >= 0 else {
      let error = errno
      if mayHang, error != EMFILE, error != ENFILE { return nil }
      throw MasterError(cannot: "keep \(path) open", error)
    }
    return PinnedFile(adopting: Descriptor(adopting: number))
  }

  private init(adopting descriptor: consuming Descriptor) {
    hadNames = Self.names(of: descriptor) != 0
    self.descriptor = descriptor
  }

  init(restoring saved: Saved) {
    descriptor = saved.file.adopt()
    hadNames = saved.hadNames
  }

  var saved: Saved { Saved(file: SavedDescriptor(descriptor), hadNames: hadNames) }

  var number: Int32 { descriptor.number }

  /// Whether it was removed, as far as this machine knows: no file system is asked.
  var isRemoved: Bool { hadNames && Self.names(of: descriptor) == 0 }

  private static func names(of descriptor: borrowing Descriptor) -> UInt32? {
    var count: UInt32 = 0
    return roost_count_names(descriptor.number, &count) == 0 ? count : nil
  }

  /// Whether a path no longer leads anywhere; nil if that can't be known without asking a file system that may hang.
  static func isGone(_ path: String, mayHang: Bool) -> Bool? {
    let number = mayHang ? roost_look_cached(path) : roost_look(AT_FDCWD, path)
    guard number < 0 else {
      close(number)
      return false
    }
    return errno == ENOENT || errno == ENOTDIR ? true : nil
  }
}
