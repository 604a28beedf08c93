import Foundation
import RoostConfiguration

/// Numbers that can be read at a glance.
enum Amount {
  /// `850ms`, `12s`, `3m 5s`, `2h 14m`, `5d 3h`.
  static func time(milliseconds: Int) -> String {
    let seconds = milliseconds / 1000
    switch seconds {
    case ..<1: return "\(max(0, milliseconds))ms"
    case ..<60: return "\(seconds)s"
    case ..<3600: return "\(seconds / 60)m \(seconds % 60)s"
    case ..<86400: return "\(seconds / 3600)h \(seconds % 3600 / 60)m"
    default: return "\(seconds / 86400)d \(seconds % 86400 / 3600)h"
    }
  }

  static func since(_ started: Int) -> String {
    let seconds = max(0, Int(Date().timeIntervalSince1970) - started)
    return seconds == 0 ? "0s" : time(milliseconds: seconds * 1000)
  }

  /// `812K`, `34M`, `1.2G`.
  static func bytes(_ bytes: Int) -> String {
    switch bytes {
    case ..<1_048_576: "\(bytes / 1024)K"
    case ..<1_073_741_824: "\(bytes / 1_048_576)M"
    default: "\(bytes / 1_073_741_824).\(bytes % 1_073_741_824 * 10 / 1_073_741_824)G"
    }
  }
}

extension Duration {
  /// Rounded up.
  var wholeSeconds: Int { (wholeMilliseconds + 999) / 1000 }
}
