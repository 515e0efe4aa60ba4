import Descriptors
import Foundation
import OnionModel
import SELinux
import Testing

/// The second lock on what no container may read.
@Suite struct PrivateFoldersTests {
  @Test func everythingThatIsOursIsLabelled() throws {
    let host = try FixtureRoot([
      "keys/.onionkeeper/id": "x",
      "keys/.onionkeeper/retired/blog-1/authorized_clients/a.auth": "x",
      "keys/.onionkeeper/pins/blog": "x", "keys/blog/blog/hostname": "x",
      "state/.onionkeeper/id": "x", "state/journal.db": "x", "state/journal.db-wal": "x",
      "state/instances/blog/etc/torrc": "x", "outside": "x",
    ])
    let folders = PrivateFolders(
      keys: "\(host.path)/keys", state: "\(host.path)/state", own: ".onionkeeper",
      journal: "journal.db")
    try FileManager.default.createSymbolicLink(
      atPath: "\(host.path)/keys/.onionkeeper/pins/link",
      withDestinationPath: "\(host.path)/outside")
    try FileManager.default.linkItem(
      atPath: "\(host.path)/outside", toPath: "\(host.path)/keys/.onionkeeper/pins/hard")
    // .onionkeeper, id, retired, blog-1, authorized_clients, a.auth, pins, blog; .onionkeeper, id; two of the journal.
    #expect(folders.flaws(type: "var_lib_t").count == 12)
    try folders.label(type: "var_lib_t")
    #expect(folders.flaws(type: "var_lib_t").isEmpty)
    let top = try Descriptor.folder(at: host.path)
    #expect(
      try top.file("keys/.onionkeeper/retired/blog-1/authorized_clients/a.auth").label()
        == "system_u:object_r:var_lib_t:s0")
    for path in ["keys", "keys/blog/blog/hostname", "state", "state/instances", "outside"] {
      #expect(try top.file(FileName(path)).label() == nil)
    }
    // A module that is installed later moves them all; the level counts too.
    #expect(folders.flaws(type: PrivateFolders.ownType).count == 12)
    try top.file("keys/.onionkeeper/id").setLabel("system_u:object_r:var_lib_t:s0:c1,c2")
    #expect(
      folders.flaws(type: "var_lib_t").map(\.observed) == ["system_u:object_r:var_lib_t:s0:c1,c2"])
  }

  @Test func theTypeIsWhatThePolicyKnows() throws {
    // A plain file takes what is written, as a kernel takes a context that it knows.
    let on = try FixtureRoot(["sys/fs/selinux/context": ""])
    #expect(PrivateFolders.type(on.tree) == PrivateFolders.ownType)
    let off = try FixtureRoot(["x": ""])
    #expect(PrivateFolders.type(off.tree) == PrivateFolders.stockType)
    withExtendedLifetime((on, off)) {}
  }

  @Test func foldersThatAreNotThereAreNoFlaw() {
    let folders = PrivateFolders(
      keys: "/nowhere/k", state: "/nowhere/s", own: ".onionkeeper", journal: "journal.db")
    #expect(folders.flaws(type: "var_lib_t").isEmpty)
  }
}
