import Engine
import Glibc
import OnionModel
import Subprocess

/// Makes the image of our instances: a base that is bootstrapped on this host or pulled, and a small build on it.
struct ImageWorkshop: Sendable {
  /// mmdebstrap over a slow mirror; measured 15 to 40 s near one.
  static let bootstrapLimit: Duration = .seconds(1200)

  let engine: EngineClient
  /// `STATE/images`: bootstrapped root file systems are kept, so that another engine or a lost image costs no download.
  let folder: String
  let progress: @Sendable (String) -> Void

  /// Builds the recipe's image and tags it with the recipe's digest.
  /// - Returns: the engine's identifier.
  func build(_ recipe: ImageRecipe) async throws(StepFailure) -> String {
    do {
      try await provideBase(recipe)
      var context = TarArchive()
      try context.add("Dockerfile", Array(recipe.dockerfile.utf8))
      progress("building \(recipe.reference)")
      let network: BuildNetwork = if case .bootstrap = recipe.base { .none } else { .bridge }
      let result = try await engine.build(
        context: context.bytes, tag: recipe.reference,
        labels: ["onionkeeper.recipe": recipe.digest], network: network)
      if let details = try await engine.image(recipe.reference), !details.volumes.isEmpty {
        throw StepFailure(
          code: "image.volumes",
          message: "\(recipe.base) declares volumes (\(details.volumes.joined(separator: ", "))):"
            + " an engine would put data there that nobody keeps; choose another base",
          isTransient: false)
      }
      return result.imageID
    } catch let error as EngineError {
      throw StepFailure(error)
    } catch let failure as StepFailure {
      throw failure
    } catch is CancellationError {
      throw StepFailure(code: "cancelled", message: "the build was cancelled")
    } catch {
      throw StepFailure(code: "image.failed", message: "\(error)")
    }
  }

  private func provideBase(_ recipe: ImageRecipe) async throws {
    if try await engine.image(recipe.baseReference) != nil { return }
    switch recipe.base {
    case .reference(let reference):
      progress("pulling \(reference)")
      try await engine.pull(reference)
    case .bootstrap(let suite):
      let tar = "\(folder)/\(suite).tar"
      if access(tar, R_OK) != 0 { try await bootstrap(suite, to: tar) }
      progress("importing \(tar)")
      _ = try await engine.importImage(tar: tar, as: recipe.baseReference)
    }
  }

  /// Essential packages and tor, without documentation: 117 MB in 15 s beside a mirror.
  private func bootstrap(_ suite: String, to tar: String) async throws {
    guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
      throw StepFailure(
        code: "disk", message: "\(folder) cannot be made: \(String(cString: strerror(errno)))")
    }
    progress("bootstrapping Debian \(suite) by mmdebstrap (about half a minute)")
    // mmdebstrap takes the format from the name's ending, so the unfinished one ends in .tar too.
    let unfinished = "\(folder)/unfinished-\(suite).tar"
    unlink(unfinished)
    let excludes = ["doc", "man", "info", "locale", "lintian"].map {
      "--dpkgopt=path-exclude=/usr/share/\($0)/*"
    }
    let arguments =
      ["-q", "--variant=essential", "--include=tor"] + excludes + [
        "--customize-hook=rm -rf \"$1\"/var/cache/apt/* \"$1\"/var/lib/apt/lists/* \"$1\"/var/log/*",
        suite, unfinished,
      ]
    let result = try await run("mmdebstrap", arguments, limit: Self.bootstrapLimit)
    guard result.isSuccess else {
      unlink(unfinished)
      throw StepFailure(
        code: "image.bootstrap", message: "mmdebstrap \(suite) failed: \(result.lastLines)")
    }
    guard rename(unfinished, tar) == 0 else {
      throw StepFailure(
        code: "disk", message: "\(tar) cannot be put in place: \(String(cString: strerror(errno)))")
    }
  }
}
