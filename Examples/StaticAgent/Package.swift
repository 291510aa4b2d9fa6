// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "StaticAgent",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "Cycles", path: "../..")],
    targets: [.executableTarget(name: "agent", dependencies: ["Cycles"], path: "Sources/Agent")]
)
