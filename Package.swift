// swift-tools-version: 6.2
import PackageDescription

// Dependencies point down only (docs/architecture.md). Every target is built with warnings as errors; an import that
// isn't declared here is rejected by scripts/build.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]
let strictC: [CSetting] = [.enableWarning("all"), .enableWarning("extra"), .treatAllWarnings(as: .error)]

let package = Package(
  name: "roost",
  products: [
    .executable(name: "roost", targets: ["roost"]),
    .executable(name: "roost-master", targets: ["roost-master"]),
    .library(name: "RoostWorker", targets: ["RoostWorker"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
  ],
  targets: [
    .executableTarget(
      name: "roost",
      dependencies: [
        "RoostConfiguration", "RoostControl", "RoostCore", "RoostJSON", "RoostMaster", "RoostOptions",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    // A binary of its own: Foundation, which the argument parser brings, would add 3 MB to the master's PSS without ever
    // being called (docs/decisions/0002-two-binaries.md).
    .executableTarget(name: "roost-master", dependencies: ["RoostMaster"], swiftSettings: strict),
    .target(
      name: "RoostMaster",
      dependencies: [
        "CRoostLinux", "CRoostSpawn", "RoostConfiguration", "RoostControl", "RoostCore", "RoostHandoff", "RoostJSON",
        "RoostLog", "RoostMetrics", "RoostProcess", "RoostSystemd", .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .target(name: "RoostConfiguration", dependencies: ["RoostCore", "RoostJSON"], swiftSettings: strict),
    // Options of the command line and of configuration files: text of the operator's, which the master never reads.
    .target(
      name: "RoostOptions",
      dependencies: [
        "RoostConfiguration", "RoostControl", "RoostCore", "RoostHandoff",
        .product(name: "TOMLKit", package: "TOMLKit"),
      ],
      swiftSettings: strict),
    .target(name: "RoostControl", dependencies: ["RoostJSON"], swiftSettings: strict),
    .target(
      name: "RoostLog", dependencies: ["RoostSystemd", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    .target(name: "RoostJSON", swiftSettings: strict),
    .target(name: "RoostMetrics", dependencies: ["RoostCore", "RoostJSON"], swiftSettings: strict),
    .target(name: "RoostCore", swiftSettings: strict),
    .target(name: "RoostSystemd", dependencies: ["CRoostSystemd"], swiftSettings: strict),
    .systemLibrary(
      name: "CRoostSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"]), .yum(["systemd-devel"])]),
    // What the kernel tells about other processes: small total parsers over the files in /proc.
    .target(name: "RoostProcess", dependencies: ["CRoostProcess"], swiftSettings: strict),
    .target(name: "CRoostProcess", cSettings: strictC),
    .target(name: "CRoostSpawn", cSettings: strictC),
    .target(name: "CRoostLinux", cSettings: strictC),
    .target(name: "RoostHandoff", swiftSettings: strict),
    .target(name: "RoostWorker", dependencies: ["RoostHandoff"], swiftSettings: strict),

    .testTarget(name: "RoostCoreTests", dependencies: ["RoostCore", "RoostJSON"], swiftSettings: strict),
    .testTarget(
      name: "RoostMasterTests",
      dependencies: [
        "RoostConfiguration", "RoostControl", "RoostCore", "RoostJSON", "RoostMaster", "RoostSystemd",
      ],
      swiftSettings: strict),
    // Real requests for tests, demo and benchmark; not part of any product.
    .executableTarget(
      name: "roost-load",
      dependencies: ["RoostJSON", .product(name: "ArgumentParser", package: "swift-argument-parser")],
      path: "Tests/RoostLoad", swiftSettings: strict),
    .testTarget(
      name: "RoostConfigurationTests", dependencies: ["RoostConfiguration", "RoostCore", "RoostJSON"],
      swiftSettings: strict),
    .testTarget(name: "RoostJSONTests", dependencies: ["RoostJSON"], swiftSettings: strict),
    .testTarget(name: "RoostWorkerTests", dependencies: ["RoostHandoff", "RoostWorker"], swiftSettings: strict),
    .testTarget(name: "RoostControlTests", dependencies: ["RoostControl", "RoostJSON"], swiftSettings: strict),
    .testTarget(
      name: "RoostOptionsTests", dependencies: ["RoostConfiguration", "RoostCore", "RoostOptions"],
      swiftSettings: strict),
    .testTarget(
      name: "RoostMetricsTests", dependencies: ["RoostCore", "RoostJSON", "RoostMetrics"], swiftSettings: strict),
    .testTarget(name: "RoostProcessTests", dependencies: ["RoostProcess"], swiftSettings: strict),
    .testTarget(name: "RoostHandoffTests", dependencies: ["RoostHandoff"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)
