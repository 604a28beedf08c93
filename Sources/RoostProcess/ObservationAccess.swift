import CRoostProcess
import Glibc

/// Whether the kernel lets this process look at what its workers do.
package struct ObservationAccess: Hashable, Sendable {
  let workerUser: UInt32
  let workerGroup: UInt32
  /// Whether /proc shows what a process has open, and what it waits in.
  let hasProc: Bool
  /// The user and the group of this process.
  let user: UInt32
  let group: UInt32
  /// CAP_SYS_PTRACE
  let mayTrace: Bool
  /// kernel.yama.ptrace_scope; nil if there is no Yama.
  let yamaScope: UInt64?
}

extension ObservationAccess {
  /// What holds here and now, for workers of this user and group; nil for those of this process.
  package init(workerUser: UInt32?, workerGroup: UInt32?) {
    self.init(
      workerUser: workerUser ?? geteuid(), workerGroup: workerGroup ?? getegid(),
      hasProc: ProcessFile.numbers(in: "/proc/self/fdinfo", atMost: 1) != nil
        && ProcessFile.contents("/proc/thread-self/syscall") != nil,
      user: geteuid(), group: getegid(), mayTrace: roost_may_trace(),
      yamaScope: ProcessFile.contents("/proc/sys/kernel/yama/ptrace_scope")?.words.first?.number(radix: 10))
  }

  /// Whether only an ancestor of a process may see what it waits in.
  package var wantsAncestor: Bool { yamaScope == 1 && !mayTrace }

  /// Why workers can't be looked at; nil if they can (ptrace(2), "Ptrace access mode checking").
  package var obstacle: String? {
    if !hasProc { return "/proc isn't there, or doesn't tell what a process waits for" }
    if !mayTrace, workerUser != user || workerGroup != group {
      return
        "the workers run as user \(workerUser) and group \(workerGroup), and the master lacks CAP_SYS_PTRACE, which"
        + " it needs to look at the processes of others"
    }
    // 1 leaves a process its descendants; 2 wants the capability, 3 refuses all.
    switch yamaScope {
    case 2 where !mayTrace: return "kernel.yama.ptrace_scope is 2, and the master lacks CAP_SYS_PTRACE"
    case 3: return "kernel.yama.ptrace_scope is 3, which hides what processes wait for"
    default: return nil
    }
  }
}
