import Descriptors
import Engine
import KeyStore
import OnionModel
import TorRuntime

/// Only here an edge's error becomes the failure of a step.
extension StepFailure {
  init(_ error: EngineError) {
    self.init(
      code: "engine.\(error.code.word)", message: error.description, isTransient: error.isTransient)
  }

  /// The failure says the code itself.
  init(_ error: KeyStoreError) {
    self.init(
      code: error.code.rawValue, message: "\(error.operation): \(error.message)",
      isTransient: error.isTransient)
  }

  init(_ error: FolderError) {
    self.init(code: "folder.\(error.code)", message: error.description)
  }

  init(_ error: ControlError) {
    self.init(code: "tor.\(error.code.rawValue)", message: error.description)
  }

  init(_ error: FileError) {
    self.init(code: "file", message: error.description)
  }
}

extension EngineError.Code {
  /// A word for programs.
  var word: String { String(String(describing: self).prefix { $0 != "(" }) }
}
