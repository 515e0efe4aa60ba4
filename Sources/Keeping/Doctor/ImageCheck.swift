import Engine
import OnionModel

/// The image of our instances, its base, and the tor in it.
struct ImageCheck {
  let recipe: ImageRecipe
  let kind: EngineIdentity.Kind
  /// When it was built. Absent: it is not there.
  let built: Observation<Timestamp>
  let now: Timestamp
  /// The host file and the state folder, for messages.
  let file: String
  let state: String
  /// By instance, of tors that run and answer.
  let versions: [InstanceName: String]

  /// Days after which a base has seen several rounds of security fixes.
  private static let oldAge = 60.0
  /// The oldest series that this version renders options for and was tested with.
  private static let oldest = [0, 4, 8]

  var findings: [DoctorFinding] { [image] + [support] + tor }

  private var image: DoctorFinding {
    switch built {
    case .unknown(let reason):
      return DoctorFinding(.image, .unknown, "\(recipe.reference) cannot be seen: \(reason)")
    case .absent:
      return DoctorFinding(
        .image, .note, "\(recipe.reference) is not there: the next pass builds it")
    case .present(let time):
      let days = now.since(time) / 86400
      let text = "\(recipe.reference) from \(recipe.base), \(Int(max(0, days))) days old"
      guard days > Self.oldAge else { return DoctorFinding(.image, .ok, text) }
      return DoctorFinding(
        .image, .risk, "\(text): security fixes since are not in it", mend: rebuilding)
    }
  }

  /// Tors are down for the time of a build.
  private var rebuilding: [String] {
    var steps = ["onionkeeper down"]
    if case .bootstrap(let suite) = recipe.base { steps.append("rm \(state)/images/\(suite).tar") }
    return steps + [
      "\(kind.rawValue) image rm \(recipe.reference) \(recipe.baseReference)", "onionkeeper apply",
    ]
  }

  private var support: DoctorFinding {
    guard let (distribution, release) = SupportTable.release(of: recipe.base) else {
      return DoctorFinding(
        .image, .note, "until when \(recipe.base) gets security fixes is not known here")
    }
    let name = "\(distribution) \(release.name)"
    let last = release.longEnd ?? release.end
    if last.isPast(now) {
      return DoctorFinding(
        .image, .risk, "\(name) has had no security fixes since \(last)",
        mend: SupportTable.newest(recipe.base).map { ["image: {base: \"\($0)\"} in \(file)"] } ?? []
      )
    }
    if release.end.isPast(now) {
      return DoctorFinding(
        .image, .note, "\(name) gets fixes by long-term support alone, until \(last)",
        mend: SupportTable.newest(recipe.base).map { ["image: {base: \"\($0)\"} in \(file)"] } ?? []
      )
    }
    return DoctorFinding(.image, .ok, "\(name) gets security fixes until \(release.end)")
  }

  private var tor: [DoctorFinding] {
    Dictionary(grouping: versions, by: \.value).sorted { $0.key < $1.key }.map { version, users in
      let count = "\(users.count) \(users.count == 1 ? "instance" : "instances")"
      // `0.4.9.11`, perhaps with a word or a commit behind it.
      let numbers = version.split { $0 == "." || $0 == "-" || $0 == " " }.prefix(3).compactMap {
        Int($0)
      }
      guard numbers.count == 3 else {
        return DoctorFinding(.tor, .unknown, "\(version) in \(count): no version")
      }
      guard !numbers.lexicographicallyPrecedes(Self.oldest) else {
        return DoctorFinding(
          .tor, .risk,
          "\(version) in \(count) is older than 0.4.8, the oldest series that is supported here",
          mend: ["choose a newer base: image.base in \(file)"])
      }
      return DoctorFinding(.tor, .ok, "\(version) in \(count)")
    }
  }
}
