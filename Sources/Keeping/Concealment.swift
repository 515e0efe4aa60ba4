import KeyStore

/// Keeps keys out of core dumps and crash reports of this process; every command's first act.
/// - Throws: `KeepingError` where the system does not do so: then no key may be read.
public func concealMemory() throws(KeepingError) {
  do {
    try ProcessMemory.conceal()
  } catch {
    throw KeepingError(
      "\(error): core dumps cannot be forbidden, so keys could end in one: is a seccomp filter in the way?"
    )
  }
}
