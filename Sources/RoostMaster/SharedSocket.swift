/// A socket that is closed when nothing refers to it any more.
final class SharedSocket {
  let descriptor: Descriptor

  init(adopting descriptor: consuming Descriptor) {
    self.descriptor = descriptor
  }
}
