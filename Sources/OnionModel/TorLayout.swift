/// Where things are inside a container, and the user that tor runs as.
public enum TorLayout {
  /// The high, unprivileged user and group of the recipe; refused at set-up if the host knows it by another name.
  public static let user = 7942
  public static let keys = "/keys"
  public static let etc = "/etc/onionkeeper"
  public static let data = "/data"
  public static let run = "/run/tor"
  public static let targets = "/targets"
  public static let torrcPath = "/etc/onionkeeper/torrc"
  public static let guardPath = "/etc/onionkeeper/start"

  /// The mounted directory of a unix target: short, and the same for the same path.
  public static func target(directory: String) -> String {
    "\(targets)/\(sha256(directory).prefix(12))"
  }
}
