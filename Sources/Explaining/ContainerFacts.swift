/// What a run command, a compose file, a Quadlet unit or a sentence among the input says of containers.
struct ContainerFacts {
  struct Mount: Hashable {
    /// A path of the host, or a volume's name.
    var source: String
    /// A path of the container.
    var destination: String
    var options: [String]
    var evidence: Evidence

    var isPath: Bool { source.hasPrefix("/") || source.hasPrefix(".") || source.hasPrefix("~") }
    /// The engine labels it for one container.
    var isPrivate: Bool { options.contains("Z") }
    var isShared: Bool { options.contains("z") }
  }

  private(set) var mounts: [Mount] = []
  /// Something said that a container is in it.
  private(set) var hint: Evidence?
  /// `network_mode: host`: then loopback is the host's.
  private(set) var isHostNetwork = false
  private(set) var isPodman = false
  private(set) var isDocker = false
  /// A command line that goes on, of which this was the beginning.
  private var isContinued = false
  static let limit = 500

  mutating func begin() { isContinued = false }

  /// - Returns: whether it is a line about containers.
  mutating func take(_ line: String, _ place: @autoclosure () -> Evidence) -> Bool {
    let text = line.trimmed
    if isContinued || Self.commands.contains(where: text.has) {
      note(text, place())
      takeCommand(text, place())
      isContinued = text.hasSuffix("\\")
      return true
    }
    if takeYAML(text, place()) { return true }
    if text.hasPrefix("Volume=") {
      note(text, place())
      if let mount = Self.mount(String(text.dropFirst(7)), place()) { add(mount) }
      return true
    }
    // A sentence, as people write it beside what they paste.
    if hint == nil, Self.words.contains(where: text.has), !text.has("container_file_t"),
      text.words.count > 3
    {
      note(text, place())
      return true
    }
    return false
  }

  private static let commands = [
    "docker run ", "podman run ", "docker create ", "podman create ", "docker compose ",
    "nerdctl run ", "docker-compose ",
  ]
  private static let words = [
    " its own container", " in a container", "bridge network", "docker network", " inside docker",
    "in docker", "in podman", "runs in container",
  ]
  private static let yamlKeys = [
    "image:", "volumes:", "cap_drop:", "cap_add:", "read_only:", "security_opt:", "network_mode:",
    "container_name:", "userns_mode:",
  ]

  private mutating func note(_ text: String, _ place: Evidence) {
    hint = hint ?? place
    isPodman = isPodman || text.has("podman")
    isDocker = isDocker || text.has("docker")
    isHostNetwork =
      isHostNetwork || text.has("network_mode: host") || text.has("network_mode: \"host\"")
      || text.has("--network host") || text.has("--network=host") || text.has("--net=host")
      || text.has("--net host")
  }

  private mutating func takeCommand(_ text: String, _ place: Evidence) {
    let words = text.words.map { String($0.filter { $0 != "'" && $0 != "\"" }) }
    for (index, word) in words.enumerated() {
      let next = index + 1 < words.count ? words[index + 1] : ""
      for option in ["-v", "--volume", "--mount"] {
        if word == option, let mount = Self.mount(next, place) { add(mount) }
        if word.hasPrefix(option + "="),
          let mount = Self.mount(String(word.dropFirst(option.count + 1)), place)
        {
          add(mount)
        }
      }
    }
  }

  private mutating func takeYAML(_ text: String, _ place: Evidence) -> Bool {
    if Self.yamlKeys.contains(where: { text.hasPrefix($0) }) {
      note(text, place)
      if text.hasPrefix("volumes:"), let open = text.firstIndex(of: "[") {
        for item in text[text.index(after: open)...].split(separator: ",") {
          let bare = item.filter { !"[]'\" ".contains($0) }
          if let mount = Self.mount(String(bare), place) { add(mount) }
        }
      }
      return true
    }
    guard text.hasPrefix("- ") else { return false }
    let bare = text.dropFirst(2).filter { $0 != "'" && $0 != "\"" }.trimmed
    guard !bare.has(" "), let mount = Self.mount(bare, place) else { return false }
    note(text, place)
    add(mount)
    return true
  }

  /// `SOURCE:DESTINATION[:OPTIONS]`, or `type=bind,source=…,target=…`.
  private static func mount(_ text: String, _ place: Evidence) -> Mount? {
    if text.has("type=") {
      var fields: [String: String] = [:]
      for part in text.split(separator: ",") {
        let pair = part.split(separator: "=", maxSplits: 1)
        fields[String(pair[0])] = pair.count > 1 ? String(pair[1]) : ""
      }
      guard let source = fields["source"] ?? fields["src"],
        let target = fields["target"] ?? fields["destination"] ?? fields["dst"]
      else { return nil }
      let labelled =
        fields["relabel"] == "private" ? ["Z"] : fields["relabel"] == "shared" ? ["z"] : []
      return Mount(
        source: TorrcFacts.normal(source), destination: TorrcFacts.normal(target),
        options: labelled, evidence: place)
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 || parts.count == 3, !parts[0].isEmpty, parts[1].hasPrefix("/"),
      parts[1].utf8.count > 1 || parts[0].hasPrefix("/")
    else { return nil }
    return Mount(
      source: TorrcFacts.normal(parts[0]), destination: TorrcFacts.normal(parts[1]),
      options: parts.count > 2 ? parts[2].split(separator: ",").map(String.init) : [],
      evidence: place)
  }

  private mutating func add(_ mount: Mount) {
    if mounts.count < Self.limit { mounts.append(mount) }
  }

  /// The mount that a path of the container lies in.
  func mount(of path: String) -> Mount? {
    mounts.filter { path == $0.destination || path.hasPrefix($0.destination + "/") }
      .max { $0.destination.utf8.count < $1.destination.utf8.count }
  }

  /// Where a path of the container is on the host; `nil` if no mount says.
  func hostPath(_ path: String) -> String? {
    guard let mount = mount(of: path), mount.isPath else { return nil }
    return mount.source + path.dropFirst(mount.destination.utf8.count)
  }
}
