import Glibc
import Testing

@testable import Descriptors

/// What is done where SELinux is on; that it is needed, and enough, `ops/test selinux` shows under enforcing.
struct OwnContextTests {
  private static let service = "system_u:system_r:initrc_t:s0"

  @Test func `a program is started as it is, or in the context that we have`() {
    #expect(OwnContext.words("ssh-keygen", in: nil) == ["ssh-keygen"])
    #expect(
      OwnContext.words("ssh-keygen", in: Self.service) == ["runcon", Self.service, "ssh-keygen"])
  }

  @Test(arguments: [
    ("system_u:system_r:initrc_t:s0\0", Self.service),
    ("system_u:system_r:initrc_t:s0-s0:c0.c1023\n", "system_u:system_r:initrc_t:s0-s0:c0.c1023"),
    ("system_u:system_r:initrc_t", "system_u:system_r:initrc_t"),
    ("unconfined\n", nil), ("docker-default (enforce)\n", nil), ("", nil),
  ])
  func `the kernel's word is a context only with user, role and type`(
    word: String, context: String?
  ) {
    #expect(OwnContext.context(of: Array(word.utf8)) == context)
  }

  @Test(arguments: [
    ("system_u:system_r:initrc_t:s0-s0:c0.c1023", Self.service),
    ("a:b:c:s0:c1,c2-s0:c0.c1023", "a:b:c:s0:c1,c2"),
    (Self.service, nil), ("system_u:system_r:initrc_t", nil),
  ])
  func `the lower end of a range`(context: String, low: String?) {
    #expect(OwnContext.lowered(context) == low)
  }

  @Test func `a socket is made without SELinux too`() {
    let made = OwnContext.lowSocket(AF_UNIX, Int32(SOCK_STREAM.rawValue))
    #expect(made >= 0)
    close(made)
  }
}
