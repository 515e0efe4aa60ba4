import KeyStore
import Testing

@Suite struct ProcessMemoryTests {
  /// Of the test process itself: it loses its core dumps, no more.
  @Test func concealmentIsProvenByTheKernel() throws {
    try ProcessMemory.conceal()
    #expect(ProcessMemory.isConcealed)
    try ProcessMemory.conceal()
  }
}
