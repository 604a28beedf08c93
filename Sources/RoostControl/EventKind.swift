/// The kinds of events that a service tells: to the log, and to the clients of its control socket. The names and ids never
/// change their meaning.
package enum EventKind: String, Hashable, Sendable, CaseIterable {
  // Its name, and its id in the journal, as sd-id128(3) writes it. systemd/roost.catalog explains each.
  case workerStarted = "worker-started f3c95789ace14954ac5d6baed2eac902"
  case workerReady = "worker-ready cbf27734ac1045258b66402800e03d2c"
  case workerLost = "worker-lost e0a3a91f23464c13bc27ed12b10877a9"
  case workerRecycled = "worker-recycled 7b0a6c1f5d3e4f0f9a62c8d41be7359a"
  case workerStopped = "worker-stopped 2a3588c4ab004d34b6263c942f784cc5"
  case workerContinued = "worker-continued bfaf9cf99b444a559f4fc4581038eddc"
  case replacementRequested = "replacement-requested 4e70a1167e464068b21cd289debe7322"
  case replacementRefused = "replacement-refused d426c2de88a44902a599d4076e2e463b"
  case replaced = "replaced b1b1f50e3bad45749b64a3d3979306a2"
  case replacementFailed = "replacement-failed f9f331b291464ec7955f7c71d8f85c63"
  case drainBegan = "drain-began f1260ebc7d564b56b714dc919b27dbdf"
  case drainEnded = "drain-ended 6caf76a5703548ae8280ad3729a6f2e7"
  case drainTimedOut = "drain-timed-out 3f0c9931918c40bf9670c342c6cce996"
  case remainsStopped = "remains-stopped 004498f4b98747c18c9c26a813678d7a"
  case retireeAccepts = "retiree-accepts a2256cceddcf127cb3b466959e9ab3a8"
  case outsiderFound = "outsider-found aa9882c969d04210a960c18f0e10d3a2"
  case startSucceeded = "start-succeeded 0ecaf828e2f745538fcc69d79561a0d1"
  case startFailed = "start-failed 73f80e52a36948b5a4414c46f147ecf9"
  case listenersNotOpened = "listeners-not-opened 58ccdf94d03f49c29c75b7d9b86791a6"
  case startDelayed = "start-delayed c85896ca0f8d478bac0943dd6234b0cf"
  case fellBack = "fell-back 569386fcbb63405e86503d96333219c3"
  case fallbackFailed = "fallback-failed 8f869317cbdb442a935f55380ef71d7f"
  case proved = "proved dddedcaf309b4158ae7709e8c6e357c1"
  case crashLoop = "crash-loop cd6d1228f2cd4542b07393b97242ef9e"
  case reloadRequested = "reload-requested c1af446506f142fca1010f154a9f2968"
  case cancelRequested = "cancel-requested 7ccfa1d205ca4520ba13f23b2e6e6ab5"
  case reloadBegan = "reload-began b459071afb8a4f9ebf72c46dca8fbe35"
  case hookBegan = "hook-began 5a3c1fbdf9da4bf3a81696a68afe2312"
  case hookSucceeded = "hook-succeeded 135d63cf1293424c802a2e8f96fc5ce8"
  case hookFailed = "hook-failed a4ea3938d4294c52810915b0875b0b21"
  case tookOver = "took-over bdfaef428c7d4431b331dab129ea3a7b"
  case reloadSucceeded = "reload-succeeded 4260ce86ca964d78ba569ee452a5d423"
  case reloadFailed = "reload-failed 44e767f743bb4898ac59157196f119be"
  case scaled = "scaled 23cc390c935440e38e1f39485d23d1f3"
  case queueNotEmpty = "queue-not-empty 109100db774b4517a04c9a1e94064573"
  case scaleRefused = "scale-refused 4d1dd7de07c1437b95d0c57b811008b7"
  case stalled = "stalled a21d27ec558248a09205c0561fb5a163"
  case stopRequested = "stop-requested 06f3179fec434ae0a6e144cf0b4152c8"
  case stopAtOnceRequested = "stop-at-once-requested c78165de8458420c88ba29b1f8223c08"
  case upgradeBegan = "upgrade-began 8c1f6ae0d2b34e0f9a5d4c7b6e21f390"
  case upgraded = "upgraded 5e07b9c4a18d4f6cb3f2d96a7c05e814"
  case upgradeRefused = "upgrade-refused d24c83f75b9e4a12865fa0e7319bc6d8"

  private static let named = Dictionary(uniqueKeysWithValues: allCases.map { (String($0.name), $0) })

  package init?(name: String) {
    guard let kind = Self.named[name] else { return nil }
    self = kind
  }

  /// Its name, as clients and the journal have it.
  package var name: Substring { rawValue.prefix { $0 != " " } }

  /// Its id in the journal.
  package var messageID: Substring { rawValue.suffix(32) }
}
