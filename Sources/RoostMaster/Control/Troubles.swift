import RoostCore

/// Why a slot lost its last worker.
struct SlotLoss: Codable {
  let reason: String
  let lastWords: [String]
}

/// What has gone wrong, as far as it still matters to the operator.
struct Troubles {
  /// How many workers of each slot were lost.
  private var restarts: [Int: Int] = [:]
  /// Why a slot lost its last worker, until another is ready.
  private(set) var losses: [Int: SlotLoss] = [:]
  /// Why the service couldn't be started, or why that takes so long, or why it serves something else.
  var start: String?

  init(start: String? = nil) {
    self.start = start
  }

  func restarts(slot: Int) -> Int { restarts[slot] ?? 0 }

  mutating func take(
    _ notice: Notice, isDiverged: Bool, _ words: NoticeText, lastWords: (Failure) -> [String]
  ) {
    switch notice {
    case .workerLost(let id, let failure, _):
      restarts[id.slot, default: 0] += 1
      losses[id.slot] = SlotLoss(reason: words.text(failure), lastWords: lastWords(failure))
    case .workerRecycled(let id, _, _): restarts[id.slot, default: 0] += 1
    case .workerReady(let id, _): losses[id.slot] = nil
    case .listenersNotOpened(let reason, _): start = reason
    case .startDelayed(let failure), .startFailed(let failure), .fellBack(_, _, _, let failure):
      start = words.text(failure)
    case .reloadSucceeded: start = nil
    // The reason for a fallback stays true.
    case .startSucceeded: if !isDiverged { start = nil }
    default: break
    }
  }

  // MARK: Upgrade

  init(restoring saved: SavedState) {
    start = saved.startTrouble
    for slot in saved.restarts { restarts[slot.slot] = slot.count }
    for loss in saved.losses ?? [] { losses[loss.slot] = loss.loss }
  }

  var savedRestarts: [SavedState.SlotRestarts] {
    restarts.keys.sorted().map { SavedState.SlotRestarts(slot: $0, count: restarts[$0]!) }
  }

  var savedLosses: [SavedState.SavedLoss] {
    losses.keys.sorted().map { SavedState.SavedLoss(slot: $0, loss: losses[$0]!) }
  }
}
