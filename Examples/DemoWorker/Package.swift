// swift-tools-version: 6.2
import PackageDescription

// A package of its own: SwiftNIO is nothing that those who only want Roost should build.
let package = Package(
  name: "demo-worker",
  dependencies: [
    .package(name: "roost", path: "../..", traits: ["NIO"]),
    .package(url: "https://github.com/apple/swift-nio", from: "2.100.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
  ],
  targets: [
    .executableTarget(
      name: "demo-worker",
      dependencies: [
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "RoostNIO", package: "roost"),
        .product(name: "RoostWorker", package: "roost"),
      ],
      path: "Sources/DemoWorker",
      swiftSettings: [.treatAllWarnings(as: .error)])
  ],
  swiftLanguageModes: [.v6]
)
