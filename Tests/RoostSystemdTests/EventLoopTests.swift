import Glibc
import RoostSystemd
import Testing

@Suite("Event loop")
struct EventLoopTests {
  /// Blocks a signal in this thread while the body runs, in which it is sent to this thread only.
  private func blocking(_ signal: Int32, _ body: () throws -> Void) rethrows {
    var set = sigset_t()
    var before = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, signal)
    pthread_sigmask(SIG_BLOCK, &set, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
  }

  /// The numbers of the descriptors that are signalfds of one signal.
  private func descriptors(of signal: Int32) -> [Int32] {
    (0..<1024).filter { number in
      guard let file = fopen("/proc/self/fdinfo/\(number)", "r") else { return false }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 256)
      let mask = UInt64(1) << UInt64(signal - 1)
      while fgets(&line, Int32(line.count), file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard text.hasPrefix("sigmask:") else { continue }
        return UInt64(text.dropFirst(8).filter(\.isHexDigit), radix: 16) == mask
      }
      return false
    }
  }

  @Test("A signal that changes its priority is heard once, whoever has a copy of what the loop has open")
  func signalWithCopies() throws {
    try blocking(SIGWINCH) {
      let loop = try EventLoop()
      var count = 0
      let source = try loop.onSignal(SIGWINCH, priority: .early) { _ in count += 1 }
      // As a process has that was forked just now.
      let copies = descriptors(of: SIGWINCH).map { dup($0) }
      defer { copies.forEach { close($0) } }
      #expect(!copies.isEmpty)
      for priority in [EventLoop.Priority.last, .early, .last] {
        source.setPriority(priority)
        pthread_kill(pthread_self(), SIGWINCH)
        for _ in 0..<3 { try loop.runOnce(microseconds: 1000) }
      }
      #expect(count == 3)
    }
  }

  @Test("A signal that isn't listened to for a while stays with the kernel")
  func signalTurnedOff() throws {
    try blocking(SIGURG) {
      let loop = try EventLoop()
      var senders: [SignalSender] = []
      var source: Source? = try loop.onSignal(SIGURG, priority: .normal) { senders.append($0) }
      source?.setEnabled(false)
      pthread_kill(pthread_self(), SIGURG)
      for _ in 0..<3 { try loop.runOnce(microseconds: 1000) }
      #expect(senders.isEmpty)
      source?.setEnabled(true)
      for _ in 0..<3 { try loop.runOnce(microseconds: 1000) }
      #expect(senders == [.process(getpid())])
      source = nil
      #expect(descriptors(of: SIGURG).isEmpty)
    }
  }
}
