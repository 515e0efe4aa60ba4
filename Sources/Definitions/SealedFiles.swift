import OnionModel

/// Why a revision's file is no sealed key.
enum SealedProblem: Error {
  case missing
  case tooLarge(size: Int)
  case notAge

  func message(_ file: String) -> String {
    switch self {
    case .missing: "\(file) is not in the revision (commit it; `onionkeeper keys seal` makes one)"
    case .tooLarge(let size): "\(file) is \(size) bytes long (at most \(SealedKey.limit))"
    case .notAge: "\(file) is no age file (it begins with age-encryption.org/v1, or is armored)"
    }
  }
}

extension SealedKey {
  /// The first lines of age's two forms (age-encryption.org/v1, "Header" and "ASCII armor").
  private static let beginnings = [
    "age-encryption.org/v1\n", "-----BEGIN AGE ENCRYPTED FILE-----\n",
    "-----BEGIN AGE ENCRYPTED FILE-----\r\n",
  ].map { Array($0.utf8) }

  /// A file as this revision has it. Whether it can be opened only its host knows.
  fileprivate init(_ file: RepositoryFiles.File) throws(SealedProblem) {
    switch file.content {
    case .tooLarge(let size): throw .tooLarge(size: size)
    case .bytes(let bytes):
      guard bytes.count <= SealedKey.limit else { throw .tooLarge(size: bytes.count) }
      guard Self.beginnings.contains(where: bytes.starts(with:)) else { throw .notAge }
      self.init(file: file.path, bytes: bytes)
    }
  }
}

/// Sealed keys that are not there, are none, or are named twice. Those that look like one go to `reading`, whoever names
/// them: a last good definition may, whose file is rejected.
func sealedConflicts(
  _ definitions: [Definition], _ files: RepositoryFiles, into reading: inout RevisionReading
) -> [Diagnostic] {
  var problems: [String: SealedProblem] = [:]
  for file in files.files where file.path.hasPrefix("secrets/") {
    do throws(SealedProblem) {
      reading.sealedKeys[file.path] = try SealedKey(file)
    } catch { problems[file.path] = error }
  }
  var byFile: [String: [Definition]] = [:]
  for definition in definitions {
    if case .sealed(let file) = definition.service.key { byFile[file, default: []] += [definition] }
  }
  var errors: [Diagnostic] = []
  for (file, definitions) in byFile {
    for definition in definitions where definitions.count > 1 {
      let others = definitions.filter { $0.name != definition.name }.map(\.file)
      errors.append(
        definition.error(
          at: "key.sealed",
          "\(file) is also that of \(others.joined(separator: ", ")) (one definition a sealed file)"
        ))
    }
    if reading.sealedKeys[file] == nil {
      let problem = problems[file] ?? .missing
      errors += definitions.map { $0.error(at: "key.sealed", problem.message(file)) }
    }
  }
  return errors
}
