// swift-tools-version: 6.2
import PackageDescription

// What the tutorial of RoostWorker comes to: its source is the tutorial's last step.
let package = Package(
  name: "greeter",
  dependencies: [.package(name: "roost", path: "../..")],
  targets: [
    .executableTarget(
      name: "greeter", dependencies: [.product(name: "RoostWorker", package: "roost")], path: "Sources",
      swiftSettings: [.treatAllWarnings(as: .error)])
  ],
  swiftLanguageModes: [.v6]
)
