import Glibc

@testable import KeyStore

/// One state of a key directory: what a look finds, what a repair does about it, and what tor would do with it.
struct KeyState: CustomStringConvertible {
  /// How the secret is seen.
  enum Finding { case whole, missing, damaged, other, absent }

  enum Deed: Equatable {
    case nothing
    /// All but the secret is put right.
    case repairs
    /// Nothing is written.
    case holds(KeyStoreError.Code)
  }

  /// What a tor makes of it that owns the directory, or that has it read-only as ours do.
  enum Tor: Equatable {
    /// Serves the address, and leaves the secret as it is.
    case serves
    /// Serves it, and lets in others than are meant, with only a warning or none.
    case opens(String?)
    /// Ends, and says so.
    case refuses(String)
    /// Makes another identity and writes it over what is there; ours, read-only, end instead.
    case replaces
    /// Not asked: it is as a neighbouring row, or tor would wait for a pipe without end.
    case unasked
  }

  var fault: Fault
  var finds: Finding
  var does: Deed
  var tor: Tor

  init(_ fault: Fault, _ finds: Finding, _ does: Deed, _ tor: Tor = .unasked) {
    self.fault = fault
    self.finds = finds
    self.does = does
    self.tor = tor
  }

  var description: String { fault.rawValue }

  private static let lost = "We needed to load a secret key from"
  private static let mismatch = "does not match"

  /// Every state of facts/tor.md §3 and product.md §6. What cannot be read, a quota and a failing disk are in
  /// `KeyChangeTests` at each system call; a full and a read-only disk in `DiskTests`; who holds a key twice is the planner's.
  static let table: [KeyState] = [
    KeyState(.none, .whole, .nothing, .serves),
    // The secret: never written.
    KeyState(.secretMissing, .missing, .holds(.keyMissing), .refuses(lost)),
    KeyState(.secretAndPublicMissing, .missing, .holds(.keyMissing), .replaces),
    KeyState(.allMissing, .missing, .holds(.keyMissing), .replaces),
    KeyState(.directoryMissing, .absent, .holds(.keyMissing), .replaces),
    KeyState(.secretTruncated, .damaged, .holds(.keyDamaged), .refuses(lost)),
    KeyState(.secretTruncatedPublicMissing, .damaged, .holds(.keyDamaged), .replaces),
    KeyState(.secretLong, .damaged, .holds(.keyDamaged), .refuses(lost)),
    KeyState(.secretHeader, .damaged, .holds(.keyDamaged), .refuses(lost)),
    KeyState(.secretUnclamped, .damaged, .holds(.keyDamaged), .refuses(mismatch)),
    KeyState(.secretOther, .other, .holds(.keyMismatch), .refuses(mismatch)),
    KeyState(.swapped, .other, .holds(.keyMismatch), .serves),
    KeyState(.secretLink, .damaged, .holds(.keyDamaged), .serves),
    KeyState(.secretPipe, .damaged, .holds(.keyDamaged)),
    KeyState(.secretFolder, .damaged, .holds(.keyDamaged), .refuses(lost)),
    // The public key and the name follow from it.
    KeyState(.publicMissing, .whole, .repairs, .serves),
    KeyState(.publicOther, .whole, .repairs, .refuses(mismatch)),
    KeyState(.publicFlippedSign, .whole, .repairs, .refuses(mismatch)),
    KeyState(.publicEmpty, .whole, .repairs, .serves),
    KeyState(.publicFolder, .whole, .repairs),
    KeyState(.publicLink, .whole, .repairs),
    KeyState(.publicHardLink, .whole, .repairs),
    KeyState(.hostnameMissing, .whole, .repairs, .serves),
    KeyState(.hostnameOther, .whole, .repairs, .serves),
    KeyState(.hostnameCRLF, .whole, .repairs, .serves),
    KeyState(.hostnameHuge, .whole, .repairs, .serves),
    // Who may do what.
    KeyState(.ownerFolder, .whole, .repairs, .refuses("cannot be read")),
    KeyState(.ownerFolderOpen, .whole, .repairs, .refuses("is not owned by this user")),
    KeyState(.ownerInstance, .whole, .repairs, .refuses("cannot be read")),
    KeyState(.ownerSecret, .whole, .repairs, .refuses(lost)),
    KeyState(.ownerKeys, .whole, .repairs, .replaces),
    KeyState(.ownerHostname, .whole, .repairs),
    KeyState(.groupSecret, .whole, .repairs, .serves),
    KeyState(.modeFolder, .whole, .repairs, .refuses("too permissive")),
    KeyState(.modeInstance, .whole, .repairs, .serves),
    KeyState(.modeSecret, .whole, .repairs, .serves),
    KeyState(.modePublic, .whole, .repairs, .serves),
    KeyState(.setuid, .whole, .repairs, .serves),
    KeyState(.accessList, .whole, .repairs, .serves),
    // Who may come in.
    KeyState(.clientsMissing, .whole, .repairs, .opens(nil)),
    KeyState(.clientsLink, .whole, .repairs),
    KeyState(.clientsFile, .whole, .repairs),
    KeyState(.clientMissing, .whole, .repairs, .serves),
    KeyState(.clientOther, .whole, .repairs, .opens("public key")),
    KeyState(.clientTwoLines, .whole, .repairs, .opens("authorization")),
    KeyState(.clientNotAuth, .whole, .repairs, .opens("Ignoring")),
    KeyState(.clientUnreadable, .whole, .repairs, .opens("can't be read")),
    KeyState(.clientExtra, .whole, .repairs, .opens(nil)),
    KeyState(.clientOwner, .whole, .repairs),
    KeyState(.clientPipe, .whole, .repairs),
    KeyState(.clientHuge, .whole, .repairs),
    KeyState(.clientName, .whole, .repairs),
    // What nobody defined.
    KeyState(.foreignFile, .whole, .repairs, .serves),
    KeyState(.foreignLink, .whole, .repairs),
    KeyState(.foreignSocket, .whole, .repairs),
    KeyState(.foreignTree, .whole, .repairs),
    KeyState(.foreignNewline, .whole, .repairs),
    KeyState(.foreignBytes, .whole, .repairs),
    KeyState(.leftover, .whole, .repairs, .serves),
  ]
}
