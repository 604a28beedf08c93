import CRoostSpawn
import Glibc
import RoostLog
import RoostSystemd

/// Lets another process write the record: a disk that hangs must not hold the master. One at a time, and the newest
/// last.
final class HistoryWriter {
  private let directory: String
  private let service: String
  private let loop: EventLoop
  private let log: Log
  private var process: ShortLivedProcess?
  private var waiting: History?
  /// When a failed write is tried again: a disk gets room, a descriptor becomes free.
  private var retry: Timer?
  private static let pauseMicroseconds: UInt64 = 10_000_000
  /// The last problem that was logged: once is enough while it stays the same.
  private var trouble: String?

  init(in directory: String, of service: String, loop: EventLoop, _ log: Log) {
    self.service = service
    self.directory = directory
    self.loop = loop
    self.log = log
  }

  func write(_ history: History) {
    retry = nil
    guard process == nil else { return waiting = history }
    do {
      let process = try ShortLivedProcess { [directory, service] tell in
        roost_outlive_parent()
        // The limit for the log need not limit the record.
        _ = RaisedLimit(RLIMIT_FSIZE)
        do throws(MasterError) {
          try HistoryFile.write(history, of: service, in: directory)
          tell(Array(Self.done.utf8))
        } catch {
          tell(Array(error.description.utf8))
        }
      }
      // Set before it is watched: at the end of the loop nothing is watched any more, but this is still waited for.
      self.process = process
      try process.watch(in: loop) { [unowned self] answer in
        finished(history, String(decoding: answer, as: UTF8.self))
      }
    } catch {
      if process == nil { failed(history, "cannot record in \(directory) which generation serves: \(error)") }
    }
  }

  /// Gives up what is being written.
  func abandon() {
    retry = nil
    process?.abandon()
    process = nil
    waiting = nil
  }

  /// Starts writing the last of it: the end of the master waits for that.
  func finish() {
    guard let last = waiting else { return }
    abandon()
    write(last)
  }

  private static let done = "done"

  private func finished(_ history: History, _ answer: String) {
    process = nil
    if answer == Self.done {
      if trouble != nil { log.info("recording in \(directory) again which generation serves") }
      trouble = nil
    } else {
      let gone = "cannot record in \(directory) which generation serves: the writing process is gone"
      failed(history, answer.isEmpty ? gone : answer)
    }
    guard let next = waiting else { return }
    waiting = nil
    write(next)
  }

  private func failed(_ history: History, _ text: String) {
    retry = try? loop.timer(priority: .last) { [unowned self] in write(history) }
    retry?.set(Clock.now().microseconds + Self.pauseMicroseconds)
    guard text != trouble else { return }
    trouble = text
    log.warning("\(text); what served last may not come back after a restart")
  }
}
