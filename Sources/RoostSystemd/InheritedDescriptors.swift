import CRoostSystemd
import Glibc

/// The descriptors that systemd passed to this process (sd_listen_fds_with_names(3)).
public enum InheritedDescriptors {
  /// Descriptor and name of each, in their order; close-on-exec from now on. None if they are meant for another process.
  public static func all() throws(SystemdError) -> [(descriptor: Int32, name: String)] {
    var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
    let count = sd_listen_fds_with_names(0, &names)
    try SystemdError.check("take the descriptors that systemd passed", count)
    defer { free(names) }
    return (0..<Int(count)).map { index in
      defer { free(names?[index]) }
      // Without LISTEN_FDNAMES libsystemd calls each of them "unknown" itself.
      let name = names?[index].map { String(cString: $0) } ?? "unknown"
      return (SD_LISTEN_FDS_START + Int32(index), name)
    }
  }
}
