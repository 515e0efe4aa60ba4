import Descriptors
import Glibc
import OnionModel

/// Directories of the host that containers mount.
enum HostFolders {
  /// Whether a directory of a unix target is there, walked without following any link.
  static func observe(_ path: String) -> Observation<Bool> {
    do {
      _ = try Descriptor.folder(at: path, links: false)
      return .present(true)
    } catch {
      switch error.number {
      case ENOENT: return .absent
      case ELOOP, ENOTDIR: return .present(false)
      default: return .unknown(error.description)
      }
    }
  }

  /// Every source must be there before a create: an engine would make a missing one, as root's.
  static func check(_ mounts: [Mount]) throws(StepFailure) {
    for mount in mounts {
      do {
        let isTarget = mount.destination.hasPrefix(TorLayout.targets + "/")
        _ = try Descriptor.folder(at: mount.source, links: !isTarget)
      } catch {
        throw StepFailure(
          code: "mount.missing", message: "\(mount.source) cannot be mounted: \(error.reason)")
      }
    }
  }
}
