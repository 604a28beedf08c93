import Glibc
import RoostConfiguration
import RoostMaster

extension AccessRefusal {
  /// Who may not do what, and what refuses it: `the user www-data can't enter /srv/app (mode 700 of /srv/app, which is root:root's)`.
  func text(_ identity: Identity?) -> String {
    let user = identity.map { Names.user($0.user) } ?? "?"
    return "the user \(user) can't \(verb) (\(reason))"
  }

  private var verb: String {
    switch act {
    case .enter(let path): "enter \(path)"
    case .execute(let path, nil): "execute \(path)"
    case .execute(let path, let option?): "execute \(path) for '\(option)'"
    case .read(let path): "read \(path), as its interpreter has to"
    case .interpret(let path, let script): "execute \(path), the interpreter of \(script)"
    }
  }

  private var reason: String {
    var status = stat()
    guard number == EACCES, stat(place, &status) == 0 else { return "\(place): \(String(cString: strerror(number)))" }
    let mode = String(status.st_mode & 0o7777, radix: 8)
    return "mode \(mode) of \(place), which is \(Names.user(status.st_uid)):\(Names.group(status.st_gid))'s"
  }
}

/// Users and groups by name, if they have one.
enum Names {
  static func user(_ id: uid_t) -> String { getpwuid(id).map { String(cString: $0.pointee.pw_name) } ?? "\(id)" }
  static func group(_ id: gid_t) -> String { getgrgid(id).map { String(cString: $0.pointee.gr_name) } ?? "\(id)" }
}
