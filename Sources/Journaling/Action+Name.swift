public import OnionModel

extension Action {
  /// The word of the journal, of events and of `history`: `reload`, `createContainer`. Stable: receivers match on it.
  public var name: String {
    switch self {
    case .buildImage: "buildImage"
    case .ensureNetwork: "ensureNetwork"
    case .removeNetwork: "removeNetwork"
    case .labelPrivate: "labelPrivate"
    case .generateKey: "generateKey"
    case .unsealKey: "unsealKey"
    case .backUpKey: "backUpKey"
    case .pin: "pin"
    case .repairKeys: "repairKeys"
    case .retireKey: "retireKey"
    case .restoreKey: "restoreKey"
    case .moveKey: "moveKey"
    case .writeFiles: "writeFiles"
    case .verifyConfiguration: "verifyConfiguration"
    case .createContainer: "createContainer"
    case .joinNetwork: "joinNetwork"
    case .leaveNetwork: "leaveNetwork"
    case .startContainer: "startContainer"
    case .unpauseContainer: "unpauseContainer"
    case .renameContainer: "renameContainer"
    case .removeContainer: "removeContainer"
    case .takeDown: "takeDown"
    case .restartContainer: "restartContainer"
    case .updateLimits: "updateLimits"
    case .reload: "reload"
    case .prove: "prove"
    case .adoptContainer: "adoptContainer"
    case .forgetInstance: "forgetInstance"
    case .forgetService: "forgetService"
    }
  }
}
