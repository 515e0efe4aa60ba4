import Definitions
import Descriptors
public import OnionModel

/// `check`: a folder of definitions and host files, each by itself and one against the other, without acting. It needs
/// no root, no network and no engine: a repository's own CI runs it.
///
/// Beside a folder, a host file counts as another machine's: its text is checked, not the files that it names there.
public struct RepositoryCheck: Sendable {
  /// The folder of `onionkeeper.yaml`.
  public var folder: String?
  /// Host files, or folders of them (`*.yaml`); as they are called in diagnostics.
  public var hostFiles: [String]
  /// What relative paths begin at, absolute.
  public var current: String

  public init(folder: String?, hostFiles: [String], current: String) {
    self.folder = folder
    self.hostFiles = hostFiles
    self.current = current
  }

  /// Everything that was found, a folder or file that cannot be read included.
  public func run() -> [Diagnostic] {
    var found: [Diagnostic] = []
    var contexts: [HostContext] = []
    var files: [HostName: String] = [:]
    for file in listed(&found) {
      do throws(HostFileError) {
        let machine: HostFile.Machine = folder == nil ? .this : .another
        let configuration = try HostFile(path: absolute(file), of: machine).read()
        if let other = files.updateValue(file, forKey: configuration.host) {
          found.append(
            Diagnostic(
              file: file, path: "host",
              message: "\(configuration.host) is also the host of \(other) (one file a host)"))
        } else {
          contexts.append(configuration.context)
        }
      } catch {
        found += error.diagnostics.map { diagnostic in
          var diagnostic = diagnostic
          if diagnostic.file == absolute(file) { diagnostic.file = file }
          return diagnostic
        }
      }
    }
    guard let folder else { return found }
    do {
      let (files, refused) = try DefinitionFolder(absolute(folder)).readAll()
      found += refused
      found += check(files, hosts: contexts)
    } catch {
      found.append(
        Diagnostic(file: folder, message: (error as? KeepingError)?.message ?? "\(error)"))
    }
    return found
  }

  /// The host files, those of folders in order of name.
  private func listed(_ found: inout [Diagnostic]) -> [String] {
    var files: [String] = []
    for path in hostFiles {
      do throws(FileError) {
        let names = try Descriptor.folder(at: absolute(path)).names(limit: 10_000)
        let hosts = names.compactMap(\.text).filter { $0.hasSuffix(".yaml") }.sorted()
        if hosts.isEmpty {
          found.append(Diagnostic(file: path, message: "is a folder without host files (*.yaml)"))
        }
        files += hosts.map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
      } catch {
        // No folder: a file, or nothing, which reading it says.
        files.append(path)
      }
    }
    return files
  }

  private func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : "\(current)/\(path)"
  }
}
