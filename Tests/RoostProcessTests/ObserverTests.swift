import Glibc
import Testing

@testable import RoostProcess

@Suite("Looking at processes")
struct ObserverTests {
  @Test("A socket is known by device and inode, anything else isn't one")
  func identity() throws {
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    let copy = dup(socket)
    defer { close(copy) }
    let known = try #require(SocketIdentity(of: socket))
    #expect(SocketIdentity(of: copy) == known)
    let null = open("/dev/null", O_RDONLY)
    defer { close(null) }
    #expect(SocketIdentity(of: null) == nil && SocketIdentity(of: -1) == nil)
  }

  @Test("A process that is gone is no error, and shows nothing")
  func gone() {
    let sighting = Observer.look(at: pid_t.max - 1, for: [SocketIdentity(device: 9, inode: 1)])
    #expect(sighting.accepted.isEmpty && sighting.refusal == nil)
  }

  private func access(
    workerUser: UInt32 = 1000, group: UInt32 = 1000, hasProc: Bool = true, mayTrace: Bool = false, yama: UInt64? = nil
  ) -> ObservationAccess {
    ObservationAccess(
      workerUser: workerUser, workerGroup: group, hasProc: hasProc, user: 1000, group: 1000, mayTrace: mayTrace,
      yamaScope: yama)
  }

  @Test("One's own workers can be looked at, those of others with the capability only")
  func access() {
    #expect(access().obstacle == nil)
    #expect(access(workerUser: 33).obstacle?.contains("user 33") == true)
    #expect(access(group: 33).obstacle?.contains("group 33") == true)
    #expect(access(workerUser: 33, mayTrace: true).obstacle == nil)
    #expect(access(hasProc: false, mayTrace: true).obstacle?.contains("/proc") == true)
  }

  @Test("Yama leaves a process its descendants, or only the capable, or nobody")
  func yama() {
    #expect(access(yama: 0).obstacle == nil && access(yama: 1).obstacle == nil)
    #expect(access(yama: 2).obstacle?.contains("ptrace_scope is 2") == true)
    #expect(access(mayTrace: true, yama: 2).obstacle == nil)
    #expect(access(mayTrace: true, yama: 3).obstacle?.contains("ptrace_scope is 3") == true)
  }
}
