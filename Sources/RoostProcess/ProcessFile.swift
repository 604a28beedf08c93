import Glibc

/// Files in /proc.
package enum ProcessFile {
  /// No more of a file than this is read.
  package static let maximumLength = 1 << 20

  /// The content of a file, up to a length, or nil with errno.
  package static func contents(_ path: String, atMost limit: Int = maximumLength) -> ArraySlice<UInt8>? {
    let number = open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else { return nil }
    defer { close(number) }
    var content: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 4096)
    while content.count < limit {
      let count = read(number, &part, min(part.count, limit - content.count))
      if count < 0, content.isEmpty { return nil }
      if count <= 0 { break }
      content += part[..<count]
    }
    return content[...]
  }

  /// What a symbolic link says, or nil with errno.
  static func link(_ path: String) -> ArraySlice<UInt8>? {
    var text = [UInt8](repeating: 0, count: 256)
    let count = text.withUnsafeMutableBytes { text in
      readlink(path, text.baseAddress!.assumingMemoryBound(to: CChar.self), text.count)
    }
    return count < 0 ? nil : text[..<count]
  }

  /// The numbers that are a directory's entries, at most this many; nil with errno if it can't be read.
  static func numbers(in path: String, atMost limit: Int) -> [Int32]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var numbers: [Int32] = []
    while numbers.count < limit, let entry = readdir(directory) {
      let number = withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
          isdigit(Int32(name[0])) != 0 ? Int32(truncatingIfNeeded: strtol(name, nil, 10)) : nil
        }
      }
      if let number { numbers.append(number) }
    }
    return numbers
  }
}
