// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "TestingYourApp",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "Cycles", path: "../..")],
    targets: [
        .target(name: "Summaries", dependencies: ["Cycles"]),
        .testTarget(
            name: "SummariesTests",
            dependencies: ["Summaries", .product(name: "CyclesTesting", package: "Cycles")]
        ),
    ]
)
