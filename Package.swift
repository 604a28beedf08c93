// swift-tools-version: 6.2
import PackageDescription

// Dependencies point down only (docs/architecture.md). Every target is built with warnings as errors; an import that
// isn't declared here is rejected by scripts/build.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
let strictC: [CSetting] = [.enableWarning("all"), .enableWarning("extra"), .treatAllWarnings(as: .error)]

let package = Package(
  name: "roost",
  products: [
    // The executables are products by themselves. Declared here, they would have everybody who depends on this package fetch
    // what they need (docs/decisions/0030-adapters-by-traits.md).
    .library(name: "RoostWorker", targets: ["RoostWorker"]),
    .library(name: "RoostNIO", targets: ["RoostNIO"]),
    .library(name: "RoostServiceLifecycle", targets: ["RoostServiceLifecycle"]),
    .library(name: "RoostHummingbird", targets: ["RoostHummingbird"]),
  ],
  // Adapters for Swift servers. Without its trait an adapter is an empty module, and what it depends on isn't even fetched
  // (docs/decisions/0030-adapters-by-traits.md).
  traits: [
    .trait(name: "NIO", description: "RoostNIO: servers on SwiftNIO"),
    .trait(name: "ServiceLifecycle", description: "RoostServiceLifecycle: groups of services"),
    .trait(
      name: "Hummingbird", description: "RoostHummingbird: applications on Hummingbird", enabledTraits: ["NIO"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
    .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
  ],
  targets: [
    .executableTarget(
      name: "roost",
      dependencies: [
        "RoostArguments", "RoostConfiguration", "RoostControl", "RoostCore", "RoostHTTPResponse", "RoostJSON",
        "RoostLog", "RoostMaster", "RoostOptions", "RoostProcess",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    // A binary of its own: Foundation, which the argument parser brings, would add 3 MB to the master's PSS without ever
    // being called (docs/decisions/0002-two-binaries.md).
    .executableTarget(name: "roost-master", dependencies: ["RoostMaster"], swiftSettings: strict),
    .target(
      name: "RoostMaster",
      dependencies: [
        "CRoostMaster", "CRoostSpawn", "RoostArguments", "RoostConfiguration", "RoostContract",
        "RoostControl", "RoostCore", "RoostJSON", "RoostLog", "RoostMetrics", "RoostProcess", "RoostSystemd",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(
      name: "RoostConfiguration", dependencies: ["RoostContract", "RoostCore", "RoostJSON"], swiftSettings: strict),
    // Options of the command line and of configuration files: text of the operator's, which the master never reads.
    .target(
      name: "RoostOptions",
      dependencies: ["RoostConfiguration", "RoostContract", "RoostControl", "RoostCore"], swiftSettings: strict),
    .target(name: "RoostControl", dependencies: ["RoostCore", "RoostJSON"], swiftSettings: strict),
    .target(
      name: "RoostLog", dependencies: ["RoostSystemd", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .target(name: "RoostJSON", swiftSettings: strict),
    .target(name: "RoostMetrics", dependencies: ["RoostCore"], swiftSettings: strict),
    .target(name: "RoostCore", swiftSettings: strict),
    .target(name: "RoostSystemd", dependencies: ["CRoostSystemd"], swiftSettings: strict),
    .systemLibrary(
      name: "CRoostSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"]), .yum(["systemd-devel"])]),
    // What the kernel tells about other processes: small total parsers over the files in /proc.
    .target(name: "RoostProcess", dependencies: ["CRoostProcess"], swiftSettings: strict),
    .target(name: "CRoostProcess", cSettings: strictC),
    // The command line, from C: Swift's own needs /proc, and an environment that nobody has changed.
    .target(name: "RoostArguments", dependencies: ["CRoostShims"], swiftSettings: strict),
    .target(name: "CRoostSpawn", cSettings: strictC),
    .target(name: "CRoostMaster", cSettings: strictC),
    // Linked into the servers of others, by RoostWorker.
    .target(name: "CRoostShims", cSettings: strictC),
    .target(name: "RoostContract", swiftSettings: strict),
    .target(name: "RoostWorker", dependencies: ["CRoostShims", "RoostContract"], swiftSettings: strict),

    // What a server answers, for clients of ours: the doctor's and the load generator's.
    .target(name: "RoostHTTPResponse", swiftSettings: strict),
    .target(name: "RoostHTTPDrain", swiftSettings: strict),
    .target(
      name: "RoostNIO",
      dependencies: [
        "RoostHTTPDrain", "RoostWorker",
        .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["NIO"])),
        .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["NIO"])),
        .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["NIO"])),
      ],
      swiftSettings: strict),
    .target(
      name: "RoostServiceLifecycle",
      dependencies: [
        "RoostWorker",
        .product(
          name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["ServiceLifecycle"])),
        .product(name: "Logging", package: "swift-log", condition: .when(traits: ["ServiceLifecycle"])),
      ],
      swiftSettings: strict),
    .target(
      name: "RoostHummingbird",
      dependencies: [
        "RoostNIO", "RoostWorker",
        .product(name: "Hummingbird", package: "hummingbird", condition: .when(traits: ["Hummingbird"])),
        .product(name: "HummingbirdCore", package: "hummingbird", condition: .when(traits: ["Hummingbird"])),
        .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Hummingbird"])),
        .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Hummingbird"])),
        .product(name: "NIOHTTP1", package: "swift-nio", condition: .when(traits: ["Hummingbird"])),
        .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras", condition: .when(traits: ["Hummingbird"])),
        .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Hummingbird"])),
        .product(
          name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Hummingbird"])),
        .product(
          name: "UnixSignals", package: "swift-service-lifecycle", condition: .when(traits: ["Hummingbird"])),
      ],
      swiftSettings: strict),

    .testTarget(name: "RoostCoreTests", dependencies: ["RoostCore", "RoostJSON"], swiftSettings: strict),
    .testTarget(
      name: "RoostMasterTests",
      dependencies: [
        "CRoostMaster", "CRoostSpawn", "RoostConfiguration", "RoostControl", "RoostCore", "RoostJSON", "RoostMaster",
        "RoostProcess", "RoostSystemd",
      ],
      exclude: ["Fixtures"],
      swiftSettings: strict),
    // Real requests for tests, demo and benchmark; not part of any product.
    .executableTarget(
      name: "roost-load",
      dependencies: [
        "RoostArguments", "RoostHTTPResponse", "RoostJSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/RoostLoad", swiftSettings: strict),
    .testTarget(
      name: "RoostConfigurationTests", dependencies: ["RoostConfiguration", "RoostCore", "RoostJSON"],
      swiftSettings: strict),
    .testTarget(name: "RoostJSONTests", dependencies: ["RoostJSON"], swiftSettings: strict),
    .testTarget(name: "RoostWorkerTests", dependencies: ["RoostContract", "RoostWorker"], swiftSettings: strict),
    .testTarget(name: "RoostHTTPDrainTests", dependencies: ["RoostHTTPDrain"], swiftSettings: strict),
    .testTarget(
      name: "RoostControlTests", dependencies: ["RoostControl", "RoostCore", "RoostJSON"], swiftSettings: strict),
    .testTarget(
      name: "RoostOptionsTests", dependencies: ["RoostConfiguration", "RoostCore", "RoostOptions"],
      exclude: ["tomllib_texts.py"], swiftSettings: strict),
    .testTarget(
      name: "RoostMetricsTests", dependencies: ["RoostCore", "RoostJSON", "RoostMetrics"], swiftSettings: strict),
    .testTarget(name: "RoostProcessTests", dependencies: ["RoostProcess"], swiftSettings: strict),
    .testTarget(name: "RoostHTTPResponseTests", dependencies: ["RoostHTTPResponse"], swiftSettings: strict),
    .testTarget(name: "RoostSystemdTests", dependencies: ["RoostSystemd"], swiftSettings: strict),
    .testTarget(name: "RoostContractTests", dependencies: ["RoostContract"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)

// For scripts/documentation only: nobody else fetches the plugin.
if Context.environment["ROOST_DOCUMENTATION"] != nil {
  package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"))
}
