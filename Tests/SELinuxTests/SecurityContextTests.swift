import OnionModel
import SELinux
import Testing

@Suite struct SecurityContextTests {
  @Test(arguments: [
    "system_u:object_r:container_file_t:s0:c1,c2", "system_u:system_r:container_t:s0:c123,c140",
    "unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023", "system_u:object_r:var_t:s0",
  ])
  func roundTrip(_ text: String) throws {
    #expect(try #require(SecurityContext(text)).description == text)
    #expect(SecurityContext(text + "\0")?.description == text)
  }

  @Test(arguments: [
    "", "unconfined", "docker-default (enforce)", "a:b:c", "a:b:c:", ":b:c:s0", "a:b:c d:s0",
    "a:b:c:s0\0\0", "a:b:c:s0\n", "a:b:c:s0;x",
  ])
  func refused(_ text: String) {
    #expect(SecurityContext(text) == nil)
  }

  @Test func filesOfAnInstance() {
    let label = ContainerLabel(type: "container_t", level: "s0:c12,c345")
    #expect("\(label.fileContext)" == "system_u:object_r:container_file_t:s0:c12,c345")
  }
}
