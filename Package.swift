// swift-tools-version: 6.2
import PackageDescription

// The way of the data is the layout: see README.md. Every arrow below is checked by `ops/lint`.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(
    name: name, dependencies: dependencies, exclude: ["README.md"], swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [])
  -> Target
{
  .testTarget(
    name: name + "Tests", dependencies: [.byName(name: name)] + dependencies, exclude: exclude,
    swiftSettings: settings)
}

/// What several test targets share.
func support(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target
{
  .target(
    name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude,
    swiftSettings: settings)
}

let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")

let package = Package(
  name: "onionkeeper",
  products: [.executable(name: "onionkeeper", targets: ["onionkeeper"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
  ],
  targets: [
    // The C boundary.
    .systemLibrary(
      name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CGit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .target(name: "CLinux", exclude: ["README.md"], cSettings: [.treatAllWarnings(as: .error)]),
    // Values and pure functions.
    library("OnionModel", [crypto]),
    library("Definitions", ["CYAML", "OnionModel"]),
    library("Planning", ["OnionModel"]),
    // Edges.
    library("Transport", ["CCurl"]),
    library("GitSource", ["CGit2", "Descriptors", subprocess, system]),
    library("Descriptors", ["CLinux"]),
    library("Engine", ["OnionModel", "Transport"]),
    library("KeyStore", ["CLinux", "Descriptors", "OnionModel", crypto, subprocess, system]),
    library("TorRuntime", ["Descriptors", "OnionModel", crypto]),
    library("SELinux", ["Descriptors", "OnionModel"]),
    library("Explaining", ["SELinux"]),
    library("Journaling", ["OnionModel", grdb]),
    library("Executing", ["Journaling", "OnionModel"]),
    library("Reporting", ["Journaling", "OnionModel", "Transport", crypto]),
    library("Listening", ["CLinux", crypto]),
    // The agent.
    library(
      "Keeping",
      [
        "CLinux", "Definitions", "Descriptors", "Engine", "Executing", "GitSource", "Journaling",
        "Explaining", "KeyStore", "Listening", "OnionModel", "Planning", "Reporting", "SELinux",
        "TorRuntime", "Transport", signals,
        subprocess,
      ]),
    .executableTarget(
      name: "onionkeeper",
      dependencies: [
        "Definitions", "Explaining", "Journaling", "Keeping", "OnionModel", "SELinux", arguments,
      ],
      swiftSettings: settings),
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "Definitions", "Engine", "FixtureFiles", "Journaling", "Keeping", "KeyStore", "OnionModel",
        "Transport", subprocess,
      ], exclude: ["Limits"],
      swiftSettings: settings),
    // Tests.
    support("StubServer", [], exclude: ["README.md"]),
    support("FixtureFiles", [], exclude: ["README.md"]),
    support("Spawning", []),
    support("Swapping", ["CLinux"]),
    // Programs that tests run: one that stands between another and the kernel, and what is run under it.
    .executableTarget(
      name: "Faulting", path: "Tests/Faulting", exclude: ["README.md"],
      cSettings: [.treatAllWarnings(as: .error)]),
    .executableTarget(
      name: "KeyDeed", dependencies: ["KeyStore", "OnionModel"], path: "Tests/KeyDeed",
      swiftSettings: settings),
    support("SimulatedWorld", ["Executing", "OnionModel"], exclude: ["README.md"]),
    tests("Definitions", ["FixtureFiles", "OnionModel"], exclude: ["Fixtures", "README.md"]),
    tests("Descriptors", ["Swapping"]),
    tests("Engine", ["OnionModel", "StubServer", "Transport"], exclude: ["Fixtures"]),
    tests("Executing", ["Journaling", "OnionModel", "SimulatedWorld"]),
    tests("Explaining", ["FixtureFiles"], exclude: ["Fixtures"]),
    tests("GitSource", [subprocess]),
    tests("Journaling", ["OnionModel", grdb]),
    tests(
      "Keeping",
      [
        "Definitions", "Descriptors", "Engine", "FixtureFiles", "GitSource", "Journaling",
        "KeyStore", "OnionModel", "Planning", "SELinux", "Spawning", "StubServer", "Transport",
      ], exclude: ["Fixtures", "Schema/validate.py", "Snapshots"]),
    tests(
      "KeyStore", ["CLinux", "Descriptors", "OnionModel", "Spawning", "Swapping", crypto],
      exclude: ["Corpus"]),
    tests("Listening", ["Transport", crypto]),
    tests("OnionModel"),
    tests("Planning", ["OnionModel"]),
    tests("Reporting", ["Journaling", "OnionModel", "Spawning", "StubServer", "Transport"]),
    tests("SELinux", ["Descriptors", "FixtureFiles", "OnionModel"], exclude: ["Fixtures"]),
    tests("SimulatedWorld", ["Executing", "Journaling", "OnionModel", "Planning"]),
    .testTarget(
      name: "IntegrationTests",
      dependencies: [
        "Definitions", "Engine", "FixtureFiles", "OnionModel", "StubServer", "Transport",
        subprocess,
      ], swiftSettings: settings),
    tests(
      "TorRuntime", ["Descriptors", "FixtureFiles", "OnionModel", crypto],
      exclude: ["Fixtures", "README.md"]),
    tests("Transport", ["StubServer"]),
  ],
  swiftLanguageModes: [.v6]
)
