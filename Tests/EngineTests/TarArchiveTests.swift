import Engine
import Testing

@Suite struct TarArchiveTests {
  @Test func isReproducible() throws {
    var one = TarArchive()
    try one.add("a", text: "x")
    var two = TarArchive()
    try two.add("a", text: "x")
    #expect(one.bytes == two.bytes)
  }
}
