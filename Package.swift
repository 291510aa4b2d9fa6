// swift-tools-version: 6.2

import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "Cycles",
    platforms: [.macOS(.v15), .iOS(.v18), .tvOS(.v18), .watchOS(.v11), .visionOS(.v2)],
    products: [
        .library(name: "Cycles", targets: ["Cycles"]),
        .library(name: "CyclesTesting", targets: ["CyclesTesting"]),
        .executable(name: "cycles", targets: ["CyclesCLI"]),
    ],
    targets: [
        .systemLibrary(
            name: "CCurl",
            pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]
        ),
        .target(name: "Cycles", dependencies: ["CCurl"], swiftSettings: swiftSettings),
        .target(name: "CyclesTesting", dependencies: ["Cycles"], swiftSettings: swiftSettings),
        .executableTarget(
            name: "CyclesCLI",
            dependencies: ["Cycles", "CyclesTesting"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "CyclesTests", dependencies: ["Cycles", "CyclesTesting"], swiftSettings: swiftSettings),
        .testTarget(
            name: "CyclesTestingTests",
            dependencies: ["Cycles", "CyclesTesting"],
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "CyclesCLITests",
            dependencies: ["Cycles", "CyclesTesting", "CyclesCLI"],
            swiftSettings: swiftSettings
        ),
        .testTarget(name: "EndToEndTests", dependencies: ["Cycles", "CyclesTesting"], swiftSettings: swiftSettings),
    ]
)
