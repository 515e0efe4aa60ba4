import Foundation
import Testing

/// `ops/demo` asserts each of its claims; here it does so on Docker, with the program that was built. `.ci/run` has it do so
/// on Podman, with the optimised one.
@Suite(.serialized) struct DemoTests {
  @Test(arguments: ["docker"]) func demoHoldsItsClaims(engine: String) async throws {
    let ended = try await bash(
      "\(projectFolder)/ops/demo --engine \(engine) --binary \(CommandHost.program) --cache /var/cache/onionkeeper",
      seconds: 1500)
    #expect(ended.code == 0, "\(ended.output.suffix(4000))\(ended.errors.suffix(4000))")
  }
}
