/// The kinds of events that a service tells: to the log, and to the clients of its control socket. The names and ids never
/// change their meaning.
public enum EventKind: String, Hashable, Sendable, CaseIterable {
  case workerStarted = "worker-started"
  case workerReady = "worker-ready"
  case workerLost = "worker-lost"
  case drainBegan = "drain-began"
  case drainEnded = "drain-ended"
  case drainTimedOut = "drain-timed-out"
  case remainsStopped = "remains-stopped"
  case startSucceeded = "start-succeeded"
  case startFailed = "start-failed"
  case reloadRequested = "reload-requested"
  case reloadBegan = "reload-began"
  case hookBegan = "hook-began"
  case hookSucceeded = "hook-succeeded"
  case hookFailed = "hook-failed"
  case tookOver = "took-over"
  case reloadSucceeded = "reload-succeeded"
  case reloadFailed = "reload-failed"
  case scaled = "scaled"
  case queueNotEmpty = "queue-not-empty"
  case scaleRefused = "scale-refused"
  case stopRequested = "stop-requested"
  case stopAtOnceRequested = "stop-at-once-requested"

  /// Its id in the journal, as sd-id128(3) writes it. systemd/roost.catalog explains each.
  public var messageID: String {
    switch self {
    case .workerStarted: "f3c95789ace14954ac5d6baed2eac902"
    case .workerReady: "cbf27734ac1045258b66402800e03d2c"
    case .workerLost: "e0a3a91f23464c13bc27ed12b10877a9"
    case .drainBegan: "f1260ebc7d564b56b714dc919b27dbdf"
    case .drainEnded: "6caf76a5703548ae8280ad3729a6f2e7"
    case .drainTimedOut: "3f0c9931918c40bf9670c342c6cce996"
    case .remainsStopped: "004498f4b98747c18c9c26a813678d7a"
    case .startSucceeded: "0ecaf828e2f745538fcc69d79561a0d1"
    case .startFailed: "73f80e52a36948b5a4414c46f147ecf9"
    case .reloadRequested: "c1af446506f142fca1010f154a9f2968"
    case .reloadBegan: "b459071afb8a4f9ebf72c46dca8fbe35"
    case .hookBegan: "5a3c1fbdf9da4bf3a81696a68afe2312"
    case .hookSucceeded: "135d63cf1293424c802a2e8f96fc5ce8"
    case .hookFailed: "a4ea3938d4294c52810915b0875b0b21"
    case .tookOver: "bdfaef428c7d4431b331dab129ea3a7b"
    case .reloadSucceeded: "4260ce86ca964d78ba569ee452a5d423"
    case .reloadFailed: "44e767f743bb4898ac59157196f119be"
    case .scaled: "23cc390c935440e38e1f39485d23d1f3"
    case .queueNotEmpty: "109100db774b4517a04c9a1e94064573"
    case .scaleRefused: "4d1dd7de07c1437b95d0c57b811008b7"
    case .stopRequested: "06f3179fec434ae0a6e144cf0b4152c8"
    case .stopAtOnceRequested: "c78165de8458420c88ba29b1f8223c08"
    }
  }
}
