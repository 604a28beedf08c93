import Glibc
import RoostProcess

/// The file systems that this process sees (proc_pid_mountinfo(5)). Only those that depend on a network or on another
/// process may hang, and most machines have none: then no care is needed.
final class MountTable {
  /// Those for which this machine's kernel has all that they need.
  private static let local: Set<String> = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "zfs", "jfs", "vfat", "iso9660", "erofs", "squashfs",
    "overlay", "tmpfs", "ramfs", "devtmpfs", "devpts", "proc", "sysfs", "cgroup", "cgroup2", "mqueue", "hugetlbfs",
    "securityfs", "selinuxfs", "debugfs", "tracefs", "pstore", "bpf", "configfs", "fusectl", "nsfs", "efivarfs",
    "binfmt_misc",
  ]

  /// Kept open: the kernel reports on it when something is mounted.
  private let descriptor: Descriptor
  private var known: Bool?

  init() {
    descriptor = Descriptor(adopting: open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC))
  }

  /// Whether there is one that may hang. Without /proc there may be.
  var mayHang: Bool {
    var entry = pollfd(fd: descriptor.number, events: Int16(POLLPRI), revents: 0)
    let hasChanged = poll(&entry, 1, 0) != 0
    if let known, !hasChanged { return known }
    let found = look()
    known = found
    return found
  }

  private func look() -> Bool {
    guard lseek(descriptor.number, 0, SEEK_SET) == 0, let text = descriptor.readAll(atMost: .max) else { return true }
    return !text[...].lines.allSatisfy { Self.type(ofLine: $0).map(Self.local.contains) ?? false }
  }

  /// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: what follows the hyphen.
  static func type(ofLine line: ArraySlice<UInt8>) -> String? {
    let words = line.words
    guard let hyphen = words.firstIndex(of: [UInt8(ascii: "-")]), hyphen + 1 < words.count else { return nil }
    return String(decoding: words[hyphen + 1], as: UTF8.self)
  }
}
