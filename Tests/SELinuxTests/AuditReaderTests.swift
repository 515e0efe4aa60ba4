import Foundation
import OnionModel
import SELinux
import Testing

/// What one text says, read in one piece.
func report(_ text: String, file: String = "") -> AuditReport {
  var reader = AuditReader(file: file)
  reader.read(text.utf8)
  return reader.finish()
}

@Suite struct AuditReaderTests {
  static let raw =
    #"type=AVC msg=audit(1795491511.744:46): avc:  denied  { read } for  pid=346 comm="tor" name="onion" dev="vda" ino=13942 scontext=system_u:system_r:tor_t:s0 tcontext=system_u:object_r:var_t:s0 tclass=dir permissive=0"#
  private static let tail =
    #"avc:  denied  { read } for  pid=346 comm="tor" name="onion" dev="vda" ino=13942 scontext=system_u:system_r:tor_t:s0 tcontext=system_u:object_r:var_t:s0 tclass=dir permissive=0"#

  /// Every way in which the same denial is handed in.
  @Test(arguments: [
    raw, raw + "\r", "\u{feff}" + raw, "node=host1 " + raw, "> " + raw, "`" + raw + "`",
    "garbage\u{0}\u{1}" + raw,
    "Nov 26 07:00:00 host1 kernel: audit: type=1400 audit(1795491511.744:46): " + tail,
    "[   12.345678] audit: type=1400 audit(1795491511.744:46): " + tail,
    "kernel: type=1400 audit(1795491511.744:46): " + tail,
    "type=UNKNOWN[1400] msg=audit(1795491511.744:46): " + tail,
    "Nov 26 07:00:00 host1 audit[346]: AVC " + tail,
    "Nov 26 07:00:00 host1 audisp-syslog[9]: " + raw,
    "type=AVC msg=audit(26.11.2026 07:00:00.744:46) : avc:  denied  { read } for  pid=346 comm=tor name=onion dev=vda ino=13942 scontext=system_u:system_r:tor_t:s0 tcontext=system_u:object_r:var_t:s0 tclass=dir permissive=0 ",
    "----\ntime->Thu Nov 26 07:00:00 2026\n" + raw,
    raw.replacingOccurrences(of: " dev=", with: "\ndev=").replacingOccurrences(
      of: " tclass=", with: "\n  tclass="),
    raw.replacingOccurrences(of: " permissive", with: "\n> permissive"),
    #"{"MESSAGE":""# + raw.replacingOccurrences(of: "\"", with: "\\\"") + #"","PRIORITY":"4"}"#,
  ])
  func forms(_ text: String) throws {
    let found = report(text + "\n")
    #expect(found.counts.broken == 0)
    let denial = try #require(found.denials.first)
    #expect(found.denials.count == 1 && denial.count == 1)
    #expect(denial.permissions == ["read"] && !denial.isGranted)
    #expect(denial.source?.type == "tor_t" && denial.target?.type == "var_t")
    #expect(denial.targetClass == "dir" && denial.command == "tor" && denial.process == 346)
    #expect(denial.name == "onion" && denial.path == nil && denial.inode == 13942)
    #expect(denial.permissive == false && !denial.wasLetThrough)
    #expect(!denial.evidence[0].text.utf8.contains { $0 < 0x20 })
  }

  @Test func everyRecordOfTheGuest() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/guest.log")
    let found = report(String(decoding: try Data(contentsOf: file), as: UTF8.self))
    #expect(found.counts.broken == 0 && found.counts.cut == 0)
    let sets = Set(
      found.denials.map { "\($0.permissions) \($0.sourceType) \($0.targetType) \($0.targetClass)" })
    #expect(sets.count == 59)
  }

  @Test func anEventOfManyRecords() throws {
    let found = report(
      """
      \(Self.raw)
      type=SYSCALL msg=audit(1795491511.744:46): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c items=1 ppid=1 pid=346 auid=4294967295 uid=100 euid=100 comm="tor" exe="/usr/bin/tor" subj=system_u:system_r:tor_t:s0 key="denied"\u{1d}ARCH=x86_64 SYSCALL=openat AUID="unset" EUID="debian-tor"
      type=CWD msg=audit(1795491511.744:46): cwd="/"
      type=PATH msg=audit(1795491511.744:46): item=0 name="/srv/onion" inode=13942 dev=fe:00 mode=040700 ouid=100 ogid=105 rdev=00:00 obj=system_u:object_r:var_t:s0 nametype=NORMAL\u{1d}OUID="debian-tor"
      type=PROCTITLE msg=audit(1795491511.744:46): proctitle=2F7573722F62696E2F746F72002D66002F6574632F746F722F746F727263
      """)
    let denial = try #require(found.denials.first)
    #expect(denial.path == "/srv/onion" && denial.executable == "/usr/bin/tor")
    #expect(denial.systemCall == "openat" && denial.succeeded == false && denial.exit == "-13")
    #expect(denial.objectOwner == 100 && denial.objectMode == "040700")
    #expect(denial.title == "/usr/bin/tor -f /etc/tor/torrc")
    #expect(denial.effectiveUser == "debian-tor" && denial.serial == 46)
    #expect(denial.time == Timestamp(milliseconds: 1_795_491_511_744))
  }

  @Test func eventsAmongEachOther() {
    // The system call of the first comes after the second's denial; a third event has no denial at all.
    let found = report(
      """
      type=AVC msg=audit(1.1:1): avc:  denied  { map } for  pid=1 comm="tor" path="/a" dev="d" ino=1 scontext=u:r:tor_t:s0 tcontext=u:r:x_t:s0 tclass=file permissive=0
      type=AVC msg=audit(1.1:2): avc:  denied  { map } for  pid=2 comm="tor" path="/b" dev="d" ino=2 scontext=u:r:tor_t:s0 tcontext=u:r:x_t:s0 tclass=file permissive=0
      type=SYSCALL msg=audit(1.1:1): arch=c000003e syscall=9 success=no exit=-13 pid=1 comm="tor" exe="/one"
      type=SYSCALL msg=audit(1.1:2): arch=c000003e syscall=9 success=yes exit=0 pid=2 comm="tor" exe="/two"
      type=PROCTITLE msg=audit(1.2:3): proctitle="plymouthd"
      """)
    #expect(found.denials.map(\.executable) == ["/one", "/two"])
    #expect(found.denials.map(\.wasLetThrough) == [false, true])
    #expect(found.denials.allSatisfy { $0.title == nil })
  }

  @Test func severalInOneLine() throws {
    let found = report(
      "type=PROCTITLE msg=audit(09/05/2022 11:15:24.621:424) : proctitle=/usr/sbin/d --a=b type=SYSCALL msg=audit(09/05/2022 11:15:24.621:424) : arch=x86_64 syscall=mmap success=no exit=EACCES(Permission denied) a0=0x0 uid=root euid=root comm=d exe=/usr/sbin/d key=(null) type=AVC msg=audit(09/05/2022 11:15:24.621:424) : avc:  denied  { execmem } for  pid=3641 comm=d scontext=system_u:system_r:d_t:s0-s0:c0.c1023 tcontext=system_u:system_r:d_t:s0-s0:c0.c1023 tclass=process permissive=0"
    )
    #expect(found.counts.records == 3)
    let denial = try #require(found.denials.first)
    #expect(denial.permissions == ["execmem"] && denial.exit == "EACCES(Permission denied)")
    #expect(denial.systemCall == "mmap" && denial.title == "/usr/sbin/d --a=b")
    #expect(denial.time == nil && denial.when == "09/05/2022 11:15:24.621")
    #expect(denial.source?.level == "s0-s0:c0.c1023")
  }

  @Test(arguments: [
    (#"comm=746F722078 name="a""#, "tor x", "a"),
    ("comm=\"DEAD\" name=DEAD", "DEAD", "\u{7ad}"),
    ("comm=\"runc:[2:INIT]\" name=\"x y=z\"", "runc:[2:INIT]", "x y=z"),
    ("comm=tor name=746F72", "tor", "746F72"),
  ])
  func names(_ fields: String, _ command: String, _ name: String) throws {
    let found = report(
      "type=AVC msg=audit(1.1:1): avc:  denied  { read } for  pid=1 \(fields) dev=\"d\" ino=1 scontext=u:r:tor_t:s0 tcontext=u:r:x_t:s0 tclass=file permissive=0"
    )
    let denial = try #require(found.denials.first)
    #expect(denial.command == command && denial.name == name)
  }

  @Test func nestedMessagesDoNotSpeakForTheOuter() throws {
    let found = report(
      """
      type=VIRT_CONTROL msg=audit(1.271:361): pid=783 uid=0 subj=system_u:system_r:container_runtime_t:s0 msg='op=resize exe=touch hostname=0a1b exe="/usr/bin/dockerd" res=success'
      type=USER_AVC msg=audit(1.3:4): pid=1 uid=0 auid=1 ses=2 subj=system_u:system_r:init_t:s0 msg='avc:  denied  { start } for auid=1 uid=0 gid=0 path="/usr/lib/systemd/system/tor.service" cmdline="systemctl start tor" scontext=system_u:system_r:a_t:s0 tcontext=system_u:object_r:systemd_unit_file_t:s0 tclass=service permissive=0  exe="/usr/lib/systemd/systemd" sauid=0 hostname=? addr=? terminal=?'
      type=USER_AVC msg=audit(1.4:5): pid=1 uid=0 msg='avc:  received setenforce notice (enforcing=0)  exe="/usr/lib/systemd/systemd"'
      """)
    #expect(found.denials.count == 1)
    let denial = try #require(found.denials.first)
    #expect(denial.origin == .userspace && denial.targetClass == "service")
    #expect(denial.path == "/usr/lib/systemd/system/tor.service")
    #expect(found.notices.map(\.kind) == [.enforcing])
  }

  @Test func whatIsNotSELinux() {
    let found = report(
      """
      Jul 05 01:53:16 host2 audit[1671]: AVC apparmor="DENIED" operation="change_onexec" info="label not found" error=-2 profile="unconfined" name="system_tor" pid=1671 comm="(tor)"
      Jul 05 01:53:16 host2 kernel: audit: type=1400 audit(1499219596.072:5): apparmor="DENIED" operation="change_onexec" info="label not found" error=-2 profile="unconfined" name="system_tor" pid=1671 comm="(tor)"
      type=SECCOMP msg=audit(1.1:9): auid=1 uid=100 pid=5 comm="tor" exe="/usr/bin/tor" sig=31 arch=c000003e syscall=41 code=0x80000000
      type=SELINUX_ERR msg=audit(1.1:10): op=setxattr invalid_context="system_u:object_r:nosuch_t:s0"
      type=MAC_STATUS msg=audit(1.1:11): enforcing=0 old_enforcing=1 auid=1 ses=1 enabled=1
      """)
    #expect(found.denials.isEmpty && found.counts.broken == 0)
    #expect(found.notices.map(\.kind) == [.appArmor, .seccomp, .selinuxError, .enforcing])
    #expect(found.notices[0].count == 2 && found.notices[0].fields["name"] == "system_tor")
  }

  @Test func theJournalWritesTwice() {
    let found = report(
      """
      host1 audit[346]: AVC \(Self.tail)
      host1 kernel: audit: type=1400 audit(1795491511.744:46): \(Self.tail)
      """)
    #expect(found.denials.map(\.count) == [1])
  }

  @Test(arguments: [
    (
      "SELinux is preventing /usr/bin/tor from read access on the directory /srv/onion. For complete SELinux messages run: sealert -l 1-2",
      "dir", ["read"]
    ),
    (
      "setroubleshoot[5]: SELinux is preventing tor from name_bind access on the tcp_socket port 9999.",
      "tcp_socket", ["name_bind"]
    ),
    (
      "SELinux is preventing tor from using the dac_override capability.", "capability",
      ["dac_override"]
    ),
    (
      "SELinux is preventing tor from 'read, write' accesses on the file x.", "file",
      ["read", "write"]
    ),
  ])
  func alerts(_ line: String, _ name: String, _ permissions: [String]) throws {
    let found = report(
      line
        + "\n\nSource Context                system_u:system_r:tor_t:s0\nTarget Context                system_u:object_r:var_t:s0\nTarget Objects                /srv/onion [ dir ]\n"
    )
    let denial = try #require(found.denials.first)
    #expect(denial.targetClass == name && denial.permissions == permissions)
    #expect(denial.origin == .setroubleshoot && denial.command == "tor")
    #expect(denial.source?.type == "tor_t" && denial.target?.type == "var_t")
    #expect(denial.path == "/srv/onion")
    // The record itself says more.
    #expect(report(line + "\nRaw Audit Messages\n" + Self.raw).denials.map(\.origin) == [.kernel])
  }

  @Test func brokenOnes() {
    let found = report(
      """
      type=AVC msg=audit(1.1:1): avc:  denied  { read } for  pid=346 comm="tor" name="oni

      type=AVC msg=audit(1.1:2): avc:  denied  { read
      type=AVC msg=audit(1.1:3): avc:  denied  { read ) (evil } for scontext=u:r:a_t:s0 tcontext=u:r:b_t:s0 tclass=file
      type=AVC msg=audit(1.1:4): avc:  denied  { read } for scontext=u:r:a_t:s0 tcontext=u:r tclass=file
      """)
    #expect(found.denials.isEmpty)
    #expect(found.counts.broken == 4 && found.brokenEvidence.count == 4)
  }

  @Test func equalOnesAreCounted() {
    let found = report((0..<1000).map { _ in Self.raw }.joined(separator: "\n"), file: "a.log")
    #expect(found.denials.map(\.count) == [1000])
    #expect(found.denials[0].evidence.map(\.place) == ["a.log:1", "a.log:2", "a.log:3"])
    #expect(found.denials[0].firstLine == 1 && found.denials[0].lastLine == 1000)
  }

  @Test func anyDivisionReadsTheSame() {
    let text = Self.raw + "\n" + Self.raw.replacingOccurrences(of: "onion", with: "other") + "\n"
    let whole = report(text)
    for size in [1, 7, 64, 300] {
      var reader = AuditReader()
      var rest = Array(text.utf8)[...]
      while !rest.isEmpty {
        reader.read(rest.prefix(size))
        rest = rest.dropFirst(size)
      }
      #expect(reader.finish() == whole)
    }
  }

  @Test func everyBoundHolds() {
    var reader = AuditReader()
    for number in 0..<(2 * AuditReader.denialLimit + 100) {
      reader.read(
        Array(
          (Self.raw.replacingOccurrences(of: "onion", with: "n\(number)")
            .replacingOccurrences(of: "1.744:46", with: "1.744:\(number)") + "\n").utf8))
    }
    reader.read(Array(repeating: UInt8(ascii: "x"), count: 3 << 20))
    reader.read("\n\(Self.raw)\n".utf8)
    let found = reader.finish()
    #expect(found.denials.count == AuditReader.denialLimit + 1)
    #expect(found.denials.last?.count == AuditReader.denialLimit + 101)
    #expect(found.counts.cut == 1 && found.counts.dropped == 0)
  }
}
