import RoostProcess
import Testing

/// What Linux 6.18 wrote about real processes.
enum Sample {
  /// Two listeners at a port, one for IPv6, a connection to it, another listener, and a state of UDP's.
  static let tcp = bytes(
    """
      sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
       0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 760905 1 000000007dc03081 100 0 0 10 0
       1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 760906 1 000000007dc03082 100 0 0 10 0
       2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1234 1 000000007dc03083 100 0 0 10 0
       3: 0100007F:1F90 0100007F:902A 01 00000000:00000000 00:00000000 00000000     0        0 760907 3 00000000e1e37009
       4: 0100007F:1F90 0100007F:902B 06 00000000:00000000 03:000000F6 00000000     0        0 0 3 00000000e1e37010
       5: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 00000000e1e37011 0

    """)

  /// An event loop of asyncio: its own pipe of sockets, and a listener.
  static let epollSet = bytes(
    """
    pos:\t0
    flags:\t02000002
    mnt_id:\t17
    ino:\t1038
    tfd:        5 events:       19 data:                5  pos:0 ino:b9862 sdev:9
    tfd:        3 events:       19 data:     7f4200000003  pos:0 ino:b9861 sdev:9

    """)

  /// A ring with a registered listener, a pending poll and a pending accept.
  static let ring = bytes(
    """
    pos:\t0
    flags:\t02000002
    mnt_id:\t17
    ino:\t760906
    SqMask:\t0x7
    SqHead:\t2
    SqTail:\t2
    CachedSqHead:\t2
    CqMask:\t0xf
    CqHead:\t0
    CqTail:\t0
    CachedCqTail:\t0
    SQEs:\t0
    CQEs:\t0
    SqThread:\t-1
    SqThreadCpu:\t-1
    SqTotalTime:\t0
    SqWorkTime:\t0
    UserFiles:\t1
        0: socket:[760905]
    UserBufs:\t0
    PollList:
      op=6, task_works=0
      op=13, task_works=0
    CqOverflowList:
    NAPI:\tdisabled

    """)

  static let accept4 = bytes(
    "288 0x3 0x7f736a338980 0x7f736a338974 0x80000 0x0 0x7f736af4e6e8 0x7f736a338920 0x7f736b0d0fa8\n")

  static let stat = bytes(
    "4711 (a) S (x)) T 42 4700 4699 0 -1 1077936384 103 0 0 0 0 0 0 0 20 0 1 0 4049912 3100672 252 18446744073709551615\n"
  )

  static let limits = bytes(
    """
    Limit                     Soft Limit           Hard Limit           Units     \u{20}
    Max open files            20000                20000                files     \u{20}
    Max file locks            9223372036854775806  unlimited            locks     \u{20}
    Max realtime timeout      unlimited            unlimited            us        \u{20}

    """)

  static func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }
}

@Suite("Files in /proc")
struct ParsingTests {
  @Test("An epoll set tells which sockets are awaited, in hexadecimal")
  func epollSet() {
    #expect(
      EpollSet(parsing: Sample.epollSet).awaited == [
        SocketIdentity(device: 9, inode: 0xb9862), SocketIdentity(device: 9, inode: 0xb9861),
      ])
  }

  @Test(
    "What isn't awaited to be readable isn't accepted on",
    arguments: ["4", "18", "40000000", "x", "-1", ""])
  func otherEvents(_ events: String) {
    let line = Sample.bytes("tfd:        5 events: \(events) data:                5  pos:0 ino:b9862 sdev:9\n")
    #expect(EpollSet(parsing: line).awaited.isEmpty)
  }

  @Test("Large event masks fill the column, and still are read")
  func edgeTriggered() {
    let line = Sample.bytes("tfd:      123 events: 80000019 data: ffffffffffffffff  pos:0 ino:1 sdev:9\n")
    #expect(EpollSet(parsing: line).awaited == [SocketIdentity(device: 9, inode: 1)])
  }

  @Test("A ring tells its registered sockets, and that it accepts")
  func ring() {
    let ring = Ring(parsing: Sample.ring)
    #expect(ring.registered == [760905])
    #expect(ring.accepts && !ring.isHidden)
    #expect(Ring(parsing: Sample.bytes("pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t760906\n")).isHidden)
    #expect(!Ring(parsing: Sample.bytes("PollList:\n  op=6, task_works=0\n")).accepts)
    #expect(!Ring(parsing: Sample.bytes("PollList:\n  op=130, task_works=0\n")).accepts)
  }

  @Test("A waiting thread tells its call with the arguments; a running one doesn't")
  func calls() throws {
    let call = try #require(BlockedCall(parsing: Sample.accept4))
    #expect(call.number == 288 && call.arguments[0] == 3 && call.arguments.count == 6)
    for text in ["running\n", "-1 0x7ffc522a9650 0x7f736b0be2ec\n", "", "\n", "288 3 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n"] {
      #expect(BlockedCall(parsing: Sample.bytes(text)) == nil)
    }
  }

  @Test("Links of descriptors are told apart")
  func links() {
    #expect(DescriptorLink(parsing: Sample.bytes("socket:[760905]")) == .socket(inode: 760905))
    #expect(DescriptorLink(parsing: Sample.bytes("anon_inode:[eventpoll]")) == .epollSet)
    #expect(DescriptorLink(parsing: Sample.bytes("anon_inode:[io_uring]")) == .ring)
    for text in [
      "", "socket:[", "socket:[]", "socket:[1", "socket:[x]", "/dev/null", "pipe:[1]", "socket:[99999999999999999999]",
    ] {
      #expect(DescriptorLink(parsing: Sample.bytes(text)) == .other)
    }
  }

  @Test("Sockets that listen at a port are told by their inodes, and those that are connected aren't")
  func boundSockets() {
    let listening = BoundSockets.inodes(parsing: Sample.tcp, atPort: 8080, areDatagram: false)
    #expect(listening == [760905, 760906])
    #expect(BoundSockets.inodes(parsing: Sample.tcp, atPort: 22, areDatagram: false) == [1234])
    #expect(BoundSockets.inodes(parsing: Sample.tcp, atPort: 80, areDatagram: false).isEmpty)
    #expect(BoundSockets.inodes(parsing: Sample.tcp, atPort: 8080, areDatagram: true) == [4711])
    #expect(BoundSockets.inodes(parsing: [], atPort: 8080, areDatagram: false).isEmpty)
  }

  @Test("Children are pids between blanks")
  func children() {
    #expect(ProcessTree.children(parsing: Sample.bytes("12 345 6 ")) == [12, 345, 6])
    #expect(ProcessTree.children(parsing: Sample.bytes("0 -4 x 99999999999 7\n")) == [7])
  }

  @Test("A process tells its name, whatever that contains, its state, parent, group and session")
  func facts() throws {
    let facts = try #require(ProcessFacts(parsing: Sample.stat))
    #expect(facts.name == "a) S (x)" && facts.isStopped && !facts.hasEnded)
    #expect((facts.parent, facts.group, facts.session) == (42, 4700, 4699))
    #expect(ProcessFacts(parsing: Sample.bytes("1 (a\nb\u{1b}) Z 0 0 0 0"))?.name == "a?b?")
    #expect(ProcessFacts(parsing: Sample.bytes("1 () Z 0 0 0 0"))?.hasEnded == true)
    for text in ["", "1 (a", "1 a) S 1 1 1", ")1( S 1 1 1", "1 (a) S 1 1", "1 (a) SS 1 1 1", "1 (a) S 99999999999 1 1"]
    {
      #expect(ProcessFacts(parsing: Sample.bytes(text)) == nil)
    }
  }

  @Test("A process tells its limit of file locks, if it has one")
  func fileLocks() {
    #expect(ProcessLimits.fileLocks(parsing: Sample.limits) == 9_223_372_036_854_775_806)
    #expect(ProcessLimits.fileLocks(parsing: Sample.bytes("Max file locks   unlimited  unlimited  locks\n")) == nil)
    #expect(ProcessLimits.fileLocks(parsing: Sample.bytes("Max file locks")) == nil)
    #expect(ProcessLimits.fileLocks(parsing: Sample.bytes("Max file size   7  7 bytes\n")) == nil)
  }

  @Test("The cgroup is that of version 2, if it can be seen")
  func controlGroups() {
    func path(_ text: String) -> String? { ControlGroup.path(parsing: Sample.bytes(text)) }
    #expect(path("0::/system.slice/web.service\n") == "/system.slice/web.service")
    #expect(path("9:name=systemd:/\n0::/\n") == "/")
    for text in ["", "0::", "0::\n", "0::/..\n", "0::/../web.service\n", "0::web\n", "1:cpu:/web\n"] {
      #expect(path(text) == nil)
    }
  }

  @Test("poll(2) awaits what is to be read, and passes negative descriptors over")
  func polled() {
    let entries: [UInt8] = [3, 0, 0, 0, 1, 0, 0, 0, 4, 1, 0, 0, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 9, 0]
    #expect(AwaitedDescriptors.polled(entries[...]) == [3])
    #expect(AwaitedDescriptors.polled([5, 1, 0, 0, 0x41, 0, 0, 0]) == [261])
  }

  @Test("select(2) awaits the bits of its set")
  func selected() {
    #expect(AwaitedDescriptors.selected([0b1000, 0, 0b1000_0001]) == [3, 16, 23])
    #expect(AwaitedDescriptors.selected([]).isEmpty)
  }
}
