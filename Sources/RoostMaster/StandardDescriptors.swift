import Glibc

/// Descriptors 0, 1 and 2.
package enum StandardDescriptors {
  /// Opens those that are closed. To be called before anything else is opened, which would otherwise get such a number
  /// and become the workers' stdout.
  package static func open() {
    var number: Int32
    repeat { number = Glibc.open("/dev/null", O_RDWR) } while 0...2 ~= number
    if number > 2 { close(number) }
  }
}
