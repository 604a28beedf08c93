import Glibc
import RoostControl
import RoostJSON
import RoostLog
import RoostProcess

/// Processes that have a listener and don't descend from the master aren't its to end, and no reload replaces them. After each
/// reload it is looked whether there are any, and told.
extension Master {
  /// Has a process look for them, a while after the last reload: it takes the time of a processor, and after each fork the
  /// master pays for every page that it writes to.
  func lookForOutsiders() { outsiderTimer?.set(outsiders.wish().microseconds) }

  func beginOutsiderSearch() {
    if isStopping || listeners.isEmpty { return }
    guard outsiders.mayBegin() else { return }
    var names: [UInt64: String] = [:]
    for listener in listeners {
      for socket in listener.numbers.compactMap({ SocketIdentity(of: $0) }) { names[socket.inode] = listener.name }
    }
    let known = processes.flatMap { process in
      (process.state == .running ? [process.pid] : []) + process.strays.map(\.pid)
    }
    let search = OutsiderSearch(sockets: Set(names.keys), master: getpid(), known: Set(known))
    do {
      try outsiders.begin(search, names, in: loop) { [unowned self] in foundOutsiders($0, unseen: $1) }
    } catch {
      log.warning("cannot look which processes have a listener: \(error)")
    }
  }

  private func foundOutsiders(_ new: [(outsider: Outsider, listeners: [String])], unseen: Int?) {
    tellOfUnseen(unseen)
    if !new.isEmpty {
      let isOne = new.count == 1
      let names = Set(new.flatMap(\.listeners)).sorted().joined(separator: ", ")
      let pids = new.prefix([String].shownProcesses).map { "\($0.outsider.pid)" }.joined(separator: " ")
      tell(
        ServiceEvent(
          .outsiderFound, .warning,
          "\(new.map(\.outsider.text).asProcesses) \(isOne ? "doesn't" : "don't") belong to this service, "
            + "\(isOne ? "has" : "have") the socket of \(names) open and may take its connections, whatever is reloaded: "
            + "'kill \(pids)' ends \(isOne ? "it" : "them"), unless that is meant to be"))
    }
    if outsiders.takeWish() { lookForOutsiders() }
  }

  /// Once: where the master may not look, it never may.
  private func tellOfUnseen(_ unseen: Int?) {
    guard !outsiders.hasToldOfUnseen, outsiders.sawAll == false else { return }
    outsiders.hasToldOfUnseen = true
    guard let unseen else { return log.warning("looking which processes have a listener gave no answer") }
    let what =
      unseen == 0
      ? "not all processes can be seen" : "\(unseen) \(unseen == 1 ? "process" : "processes") can't be looked at"
    log.info(
      "\(what), so processes outside of this service may have its listeners open and aren't told (docs/control.md)")
  }

  /// The outsiders that are still there, for the status.
  var outsiderReports: [JSON] {
    outsiders.found.filter(\.outsider.isAlive).map { found in
      [
        "pid": .integer(Int(found.outsider.pid)), "name": .string(found.outsider.name),
        "listeners": .array(found.listeners.map(JSON.string)),
      ]
    }
  }
}
