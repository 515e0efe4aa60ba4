/// Names of images as people write them; Podman writes them in full.
public enum ImageName {
  /// `docker.io/library/x:1`, `localhost/x:1` and `x:1` are one local image: `x:1`.
  public static func familiar(_ name: String) -> String {
    for prefix in ["docker.io/library/", "docker.io/", "localhost/"] where name.hasPrefix(prefix) {
      return String(name.dropFirst(prefix.count))
    }
    return name
  }

  /// Name and tag of a reference; without a tag it is `latest`, with a digest the digest stands for the tag.
  public static func split(_ reference: String) -> (name: String, tag: String) {
    if let at = reference.firstIndex(of: "@") {
      return (String(reference[..<at]), String(reference[reference.index(after: at)...]))
    }
    let last =
      reference.lastIndex(of: "/").map { reference.index(after: $0) } ?? reference.startIndex
    guard let colon = reference[last...].firstIndex(of: ":") else { return (reference, "latest") }
    return (String(reference[..<colon]), String(reference[reference.index(after: colon)...]))
  }
}
