import Foundation
import Glibc
import OnionModel
import Testing

@testable import TorRuntime

@Suite struct ProcessTests {
  private static let status = """
    Name:\ttor
    Uid:\t7942\t7942\t7942\t7942
    Gid:\t7942\t7942\t7942\t7942
    Groups:\t
    CapInh:\t0000000000000000
    CapPrm:\t0000000000000000
    CapEff:\t0000000000000000
    CapBnd:\t000001fffeffffff
    CapAmb:\t0000000000000000
    NoNewPrivs:\t1
    Seccomp:\t2
    Seccomp_filters:\t1

    """

  @Test(arguments: [
    ("5 (tor) S 1", "tor"), ("5 (a (b) c) S 1", "a (b) c"), ("5 (x) R (y)) Z 1", "x) R (y)"),
    ("5 () S 1", ""),
  ])
  func commandsMayHoldAnything(_ head: String, _ command: String) throws {
    // starttime is field 22; ppid, the last of `head`, is field 4.
    let rest = (5...52).map { $0 == 22 ? "987654321" : "\($0)" }.joined(separator: " ")
    let process = try #require(ProcessText.stat("\(head) \(rest)\n"))
    #expect(process.command == command)
    #expect(process.startTime == 987_654_321)
    #expect(process.state == (head.hasSuffix("Z 1") ? "Z" : "S"))
  }

  @Test func removedDirectoriesAreSeenInTheMounts() {
    let text = """
      431 414 254:0 /state/blog/data//deleted /data rw,relatime - ext4 /dev/vda rw
      432 414 254:0 /state/deleted /etc/onionkeeper ro,relatime - ext4 /dev/vda rw
      433 414 0:5 / /proc rw - proc proc rw
      odd line

      """
    #expect(ProcessText.lostMounts(text) == ["/data"])
  }

  @Test(arguments: [
    ("         0          0 4294967295\n", 7942), ("0 100000 65536\n", 107_942),
    ("0 1001 1\n1 100000 65536\n", 107_941), ("0 200000 1024\n", -1), ("", -1),
    ("x\n0 5 9999\n", 7947),
  ])
  func usersAreMapped(_ map: String, _ outside: Int) {
    #expect(ProcessText.outside(7942, map: map) == outside)
  }

  @Test func anotherMapIsABreach() throws {
    var proof = try #require(ProcessText.proof(status: Self.status, label: "x", startTime: 3))
    proof.capabilities = [0, 0, 0, 0, 0]
    proof.mappedUser = 7942
    #expect(proof.breaches(user: 7942, label: nil).isEmpty)
    proof.mappedUser = 107_942
    #expect(proof.breaches(user: 7942, label: nil).map(\.what) == ["uid_map of 7942"])
  }

  @Test(arguments: ["", "5 tor S 1", "5 (tor) S 1 2 3", ") 5 (", "5 (tor)"])
  func notAStat(_ text: String) {
    #expect(ProcessText.stat(text) == nil)
  }

  @Test func statusIsRead() throws {
    let proof = try #require(ProcessText.proof(status: Self.status, label: "x", startTime: 3))
    #expect(proof.users == [7942, 7942, 7942, 7942])
    #expect(proof.capabilities == [0, 0, 0, 0x1ff_feff_ffff, 0])
    #expect(proof.hasNoNewPrivileges)
    #expect(proof.seccomp == 2)
    #expect(proof.breaches(user: 7942, label: nil).map(\.what) == ["CapBnd"])
  }

  @Test(arguments: [
    "Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
  ])
  func eachLineIsNeededOnce(_ name: String) {
    let lines = Self.status.split(separator: "\n")
    let less = lines.filter { !$0.hasPrefix("\(name):") }.joined(separator: "\n")
    #expect(ProcessText.proof(status: less, label: nil, startTime: 1) == nil)
    let damaged = less + "\n\(name):\tx\n"
    #expect(ProcessText.proof(status: damaged, label: nil, startTime: 1) == nil)
    let twice = Self.status + lines.filter { $0.hasPrefix("\(name):") }.joined() + "\n"
    #expect(ProcessText.proof(status: twice, label: nil, startTime: 1) == nil)
  }

  @Test func labels() {
    #expect(
      ProcessText.label(Array("docker-default (enforce)\n".utf8)) == "docker-default (enforce)")
    #expect(
      ProcessText.label(Array("system_u:system_r:container_t:s0:c1,c2\0".utf8))
        == "system_u:system_r:container_t:s0:c1,c2")
    #expect(ProcessText.label([]) == nil)
    #expect(ProcessText.label([0]) == nil)
  }

  @Test func aRealTor() async throws {
    let tor = try await RealTor()
    let proof = try #require(ProcessReader().proof(of: Int(tor.child.pid)).value)
    #expect(proof.users == [7942, 7942, 7942, 7942])
    #expect(proof.groups == [7942, 7942, 7942, 7942])
    #expect(proof.capabilities == [0, 0, 0, 0, 0])
    #expect(proof.hasNoNewPrivileges)
    #expect(proof.startTime > 0)
    // This one runs in no container: the filter is what is missing.
    #expect(
      proof.breaches(user: 7942, label: nil).map(\.what) == (proof.seccomp == 2 ? [] : ["Seccomp"]))
    #expect(ProcessReader().proof(of: Int(tor.child.pid)).value == proof)

    try check(kill(tor.child.pid, SIGKILL), "kill")
    // Not reaped yet: a zombie proves nothing.
    try await eventually("tor is ending") {
      ProcessReader().proof(of: Int(tor.child.pid)).unknownReason?.contains("ending") == true
    }
    _ = try await tor.child.wait()
    #expect(ProcessReader().proof(of: Int(tor.child.pid)).isAbsent)
  }

  @Test func anotherProcessIsNoProof() throws {
    let reason = try #require(ProcessReader().proof(of: Int(getpid())).unknownReason)
    #expect(reason.contains("not tor"))
  }

  @Test func whatIsNoProcFolder() throws {
    let scratch = try Scratch()
    #expect(ProcessReader(root: scratch.path).proof(of: 1).isAbsent)
    _ = try scratch.folder("2")
    #expect(ProcessReader(root: scratch.path).proof(of: 2).unknownReason != nil)
    _ = try scratch.folder("3/stat")
    #expect(ProcessReader(root: scratch.path).proof(of: 3).unknownReason != nil)
  }
}
