// swift-tools-version: 6.2
import PackageDescription

// As in a package of yours, where the first dependency is Roost's address, a version, and these traits.
let package = Package(
  name: "hummingbird-worker",
  dependencies: [
    .package(name: "roost", path: "../..", traits: ["Hummingbird", "ServiceLifecycle"]),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
  ],
  targets: [
    .executableTarget(
      name: "hummingbird-worker",
      dependencies: [
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "RoostHummingbird", package: "roost"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]),
    // Not Hummingbird: services on SwiftNIO.
    .executableTarget(
      name: "service-worker",
      dependencies: [
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "RoostNIO", package: "roost"),
        .product(name: "RoostServiceLifecycle", package: "roost"),
        .product(name: "RoostWorker", package: "roost"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error)]),
  ],
  swiftLanguageModes: [.v6]
)
