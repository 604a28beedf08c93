import Testing

@testable import RoostMaster

@Suite("The table of mounts")
struct MountTableTests {
  @Test(
    "The type of a file system follows the hyphen, however many fields are before it",
    arguments: [
      ("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw", "ext3"),
      ("36 35 98:0 / / rw - nfs4 server:/srv rw", "nfs4"),
      ("36 35 98:0 / / rw shared:1 master:2 - fuse.sshfs a@b: rw", "fuse.sshfs"), ("36 35 98:0 / / rw", nil),
      ("36 35 98:0 / / rw -", nil), ("", nil),
    ])
  func type(_ line: String, _ type: String?) {
    #expect(MountTable.type(ofLine: Array(line.utf8)[...]) == type)
  }
}
