/// What Git LFS commits in place of a file.
public enum LFSPointer {
  /// A pointer file is below this by Git LFS's own specification, in bytes.
  static let limit = 1024
  private static let start = Array("version https://git-lfs.github.com/spec/".utf8)

  public static func isOne(_ bytes: [UInt8]) -> Bool {
    bytes.count <= limit && bytes.starts(with: start)
  }
}
