import Foundation
import Glibc

/// How many workers `auto` stands for.
enum Processors {
  /// The processors that this process may use (sched_getaffinity(2)), bounded by the quota of its control group
  /// (`cpu.max` of cgroups(7), version 2), rounded up.
  static func available() -> Int {
    let affine = max(1, ProcessInfo.processInfo.activeProcessorCount)
    return max(1, min(affine, quota() ?? affine, 1024))
  }

  private static func quota() -> Int? {
    guard let own = contents("/proc/self/cgroup")?.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else {
      return nil
    }
    var path = String(own.dropFirst(3))
    var least: Int?
    // A quota of any group above counts too.
    while !path.isEmpty {
      if let quota = contents("/sys/fs/cgroup\(path)/cpu.max").flatMap(processors) {
        least = min(least ?? quota, quota)
      }
      path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
    }
    return least
  }

  /// `QUOTA PERIOD` in microseconds, or `max PERIOD`.
  static func processors(_ text: String) -> Int? {
    let parts = text.split { $0 == " " || $0 == "\n" }.map { Int($0) }
    guard parts.count == 2, let quota = parts[0], let period = parts[1], period > 0, quota > 0 else { return nil }
    return (quota + period - 1) / period
  }

  private static func contents(_ path: String) -> String? {
    try? String(contentsOfFile: path, encoding: .utf8)
  }
}
