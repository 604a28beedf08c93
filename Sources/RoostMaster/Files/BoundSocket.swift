import Glibc

/// One of the master's own listening unix sockets, with its file, which goes with it.
struct BoundSocket: ~Copyable {
  /// Long: if it is full, a client that doesn't wait in connect(2) is refused.
  private static let backlog: Int32 = 1024

  let descriptor: Descriptor
  let file: SocketFile?

  /// Opens one that doesn't block.
  init(at path: String, _ access: FileAccess) throws(FileError) {
    guard path.utf8.count <= 107 else { throw .refused("a socket's path has at most 107 bytes") }
    guard let descriptor = Descriptor.socket(AF_UNIX, SOCK_STREAM) else { throw .failed(errno) }
    let file = try SocketFile.bind(descriptor, to: path, access)
    guard listen(descriptor.number, Self.backlog) == 0 else {
      let error = errno
      file.remove()
      throw .failed(error)
    }
    self.descriptor = descriptor
    self.file = file
  }

  /// Takes over what an upgrade has handed over.
  init(restoring saved: SavedDescriptor, _ file: SocketFile?) {
    descriptor = saved.adopt()
    self.file = file
  }

  deinit {
    file?.remove()
    descriptor.shutDown()
  }

  /// Why clients can't connect to it, if they can't.
  var obstacle: String? { file?.obstacle }
}
