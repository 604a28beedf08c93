import Glibc
import RoostWorker

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

/// A descriptor that becomes readable when the stop signal comes.
func stopDescriptor(_ stopSignal: StopSignal) -> Int32 {
  var ends: [Int32] = [0, 0]
  guard pipe(&ends) == 0 else { fatalError("no pipe") }
  stopSignal.onStop { [end = ends[1]] _ in close(end) }
  return ends[0]
}

let stop = stopDescriptor(StopSignal())
let worker = try Worker()
let listener = worker.listeners.first?.descriptor ?? openListener(port: 8080)
// Every worker wakes up for a connection, and one of them gets it: the others must not wait in accept(2).
_ = fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK)
try worker.ready()
var count = 0
var awaited = [
  pollfd(fd: stop, events: Int16(POLLIN), revents: 0), pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
]
while true {
  poll(&awaited, 2, -1)
  if awaited[0].revents != 0 { break }
  guard awaited[1].revents != 0 else { continue }
  greet(listener)
  count += 1
  if count % 1000 == 0 { try worker.status("\(count) greeted") }
}
