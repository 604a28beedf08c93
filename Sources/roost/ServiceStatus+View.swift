import RoostControl

extension ServiceStatus {
  /// What `roost status` says by its exit status.
  var exitStatus: Int32 {
    switch condition?.known {
    case .down: Failure.down
    case .degraded: Failure.notWhole
    case .whole, nil: divergence != nil || lastReload?.succeeded == false ? Failure.notWhole : 0
    }
  }

  /// Current workers that are ready.
  var readyCount: Int { workers.count { $0.role == .current && $0.state == .ready } }
}
