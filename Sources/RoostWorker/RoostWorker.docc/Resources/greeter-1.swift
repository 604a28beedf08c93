import Glibc

/// A listening socket on 127.0.0.1.
func openListener(port: UInt16) -> Int32 {
  let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
  let result = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard result == 0, listen(listener, 128) == 0 else { fatalError("port \(port) can't be had") }
  return listener
}

/// Greets one client.
func greet(_ listener: Int32) {
  let connection = accept(listener, nil, nil)
  guard connection >= 0 else { return }
  let text = "Hello from process \(getpid())\n"
  write(connection, text, text.utf8.count)
  close(connection)
}

let listener = openListener(port: 8080)
while true { greet(listener) }
