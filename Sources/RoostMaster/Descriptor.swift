import Glibc

/// An open file descriptor, which this owns.
struct Descriptor: ~Copyable {
  let number: Int32

  init(adopting number: Int32) {
    self.number = number
  }

  deinit {
    close(number)
  }
}
