import ArgumentParser
import Glibc
import RoostArguments
import RoostJSON
import Synchronization

/// Real requests, counted exactly, until stdin ends.
@main
struct RoostLoad: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "roost-load",
    abstract: "Sends requests until stdin ends, and prints what came of them as JSON.",
    discussion: """
      Prints "ready" on stderr when every client has had its first answer. A request has failed if anything but a whole \
      answer with status 200 comes. Exit status: 0 if none has.
      """)

  @Option(help: "How many clients use a connection for many requests.")
  var keptAlive = 8

  @Option(help: "How many clients use a connection for each request.")
  var new = 8

  @Option(help: "What to ask for.")
  var path = "/"

  @Option(help: "The end in any case, in seconds.")
  var seconds = 300

  @Argument(help: "127.0.0.1:8080, [::1]:8080 or unix:/path")
  var address: String

  static func main() {
    if let problem = ProgramArguments.problem { exit(withError: ValidationError(problem)) }
    main(Array(ProgramArguments.all.dropFirst()))
  }

  func run() throws {
    guard let target = Target(address) else { throw ValidationError("'\(address)' is no address") }
    let load = Load(
      Array(repeating: Client.Kind.keptAlive, count: keptAlive).map { Client(target: target, path: path, kind: $0) }
        + Array(repeating: Client.Kind.new, count: new).map { Client(target: target, path: path, kind: $0) })
    load.start()
    waitForEnd()
    let tally = load.stop()
    print(tally.json.text)
    if tally.failureCount > 0 || tally.keptAlive + tally.new == 0 { throw ExitCode.failure }
  }

  private func waitForEnd() {
    var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    var byte: UInt8 = 0
    while poll(&input, 1, Int32(seconds * 1000)) > 0, read(STDIN_FILENO, &byte, 1) > 0 {}
  }
}

/// All clients, each on its thread.
final class Load: Sendable {
  private let clients: [Client]
  private let isOver = Atomic(false)
  private let started = Atomic(0)
  private let threads = Mutex<[pthread_t]>([])

  init(_ clients: [Client]) {
    self.clients = clients
  }

  func start() {
    for client in clients {
      let run = Run { [self] in
        client.run(until: { self.isOver.load(ordering: .relaxed) }, started: reportStart)
      }
      var thread = pthread_t()
      let result = pthread_create(
        &thread, nil,
        { argument in
          Unmanaged<Run>.fromOpaque(argument!).takeRetainedValue().body()
          return nil
        }, Unmanaged.passRetained(run).toOpaque())
      precondition(result == 0, "no thread for a client")
      threads.withLock { $0.append(thread) }
    }
  }

  private func reportStart() {
    if started.wrappingAdd(1, ordering: .relaxed).newValue == clients.count { write(STDERR_FILENO, "ready\n", 6) }
  }

  /// Lets the requests in flight finish.
  func stop() -> Tally {
    isOver.store(true, ordering: .relaxed)
    for thread in threads.withLock({ $0 }) { pthread_join(thread, nil) }
    var sum = Tally()
    for client in clients { sum.add(client.tally) }
    return sum
  }

  private final class Run {
    let body: () -> Void

    init(_ body: @escaping () -> Void) {
      self.body = body
    }
  }
}
