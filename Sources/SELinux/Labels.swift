public import Descriptors

/// The label of an open file or folder: never of a name, so never through a link.
public enum Labels {
  /// What it bears; `nil` if nothing.
  /// - Throws: `.malformed` if it is no context.
  public static func context(of file: borrowing Descriptor) throws(LabelError) -> SecurityContext? {
    let text: String?
    do { text = try file.label() } catch { throw LabelError("read label", error) }
    guard let text else { return nil }
    guard let context = SecurityContext(text) else {
      throw LabelError(.malformed, "read label", "\(file.path) bears no valid context")
    }
    return context
  }

  /// Labels it, unless it bears this label already.
  /// - Throws: `.disabled` where SELinux is off: the kernel would store a label that means nothing, and that
  ///   would be found wrong on the day it is switched on.
  public static func set(
    _ context: SecurityContext, on file: borrowing Descriptor, mode: SELinuxMode
  ) throws(LabelError) {
    guard mode.isOn else {
      throw LabelError(.disabled, "set label", "SELinux is off; \(file.path) was left as it is")
    }
    do {
      if try file.label() != context.description { try file.setLabel(context.description) }
    } catch {
      throw LabelError("set label", error)
    }
  }
}

extension LabelError {
  init(_ operation: String, _ error: FileError) { self.init(.system, operation, "\(error)") }
}
