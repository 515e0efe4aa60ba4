import Descriptors
import Foundation
import SELinux
import Testing

@Suite struct LabelsTests {
  /// The attribute is stored also where SELinux is off, by root: that is what makes this test possible anywhere.
  @Test func labelsAreSetOnlyWhereTheyMeanSomething() throws {
    let path = "/tmp/onionkeeper-labels-\(ProcessInfo.processInfo.processIdentifier)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: path) } }
    let folder = try Descriptor.folder(at: path)
    let before = try Labels.context(of: folder)
    let context = try #require(SecurityContext("system_u:object_r:container_file_t:s0:c1,c2"))

    let error = #expect(throws: LabelError.self) {
      try Labels.set(context, on: folder, mode: .disabled)
    }
    #expect(error?.code == .disabled)
    #expect(try Labels.context(of: folder) == before)

    for mode in [SELinuxMode.permissive, .enforcing] {
      try Labels.set(context, on: folder, mode: mode)
      #expect(try Labels.context(of: folder) == context)
    }
    // With the ending NUL of the kernel's own tools.
    try folder.setAttribute("security.selinux", Array("u:r:t:s0\0".utf8))
    #expect(try Labels.context(of: folder)?.type == "t")
    try folder.setAttribute("security.selinux", Array("nonsense".utf8))
    let malformed = #expect(throws: LabelError.self) { try Labels.context(of: folder) }
    #expect(malformed?.code == .malformed)
  }

  @Test(arguments: [
    ("0", "permissive"), ("1", "enforcing"), ("1\n", "enforcing"), ("", "malformed"),
    ("2", "malformed"), ("10", "malformed"), (nil, "disabled"),
  ])
  func mode(_ content: String?, _ expected: String) throws {
    let root = "/tmp/onionkeeper-mode-\(UUID().uuidString)"
    let folder = "\(root)/sys/fs/selinux"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: root) } }
    if let content {
      try content.write(toFile: "\(folder)/enforce", atomically: false, encoding: .utf8)
    }
    do {
      #expect(try SELinuxMode.detect(root: root).rawValue == expected)
      #expect(try SELinuxMode.detect(root: root + "/").isOn == (expected != "disabled"))
    } catch {
      #expect(error.code.rawValue == expected)
    }
  }

  @Test func thisHostHasAMode() throws {
    let isMounted = FileManager.default.fileExists(atPath: "/sys/fs/selinux/enforce")
    #expect(try SELinuxMode.detect().isOn == isMounted)
  }
}
