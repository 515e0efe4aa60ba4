public import OnionModel

/// Everything that is wrong with a repository, in order of file and place; with a host, also what that host says.
public func check(_ files: RepositoryFiles, host: HostContext? = nil) -> [Diagnostic] {
  let reading = readRevision(files)
  guard let host, !reading.isRefused else { return reading.diagnostics }
  let resolved = resolve(reading, lastGood: [:], host: host)
  return (reading.diagnostics + resolved.diagnostics).sortedByPlace()
}
