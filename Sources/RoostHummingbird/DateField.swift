#if Hummingbird
import Glibc
import Synchronization

/// The value of the header field `Date`, made once a second at most.
final class DateField: Sendable {
  private struct Made {
    var second = 0
    var text = ""
  }

  private let made = Mutex(Made())

  var current: String {
    var now = time(nil)
    return made.withLock { made in
      if made.second != now {
        var parts = tm()
        gmtime_r(&now, &parts)
        let text = String(unsafeUninitializedCapacity: 32) { text in
          text.withMemoryRebound(to: CChar.self) {
            strftime($0.baseAddress!, $0.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
          }
        }
        made = Made(second: now, text: text)
      }
      return made.text
    }
  }
}
#endif
