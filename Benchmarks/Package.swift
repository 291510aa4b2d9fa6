// swift-tools-version: 6.2

import PackageDescription

/// The settings of the library, because JSONTiming and SignatureVectors contain parts of the library's sources.
let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "CyclesBenchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "Cycles", path: "..")],
    targets: [
        .target(name: "Measurement"),
        .target(name: "CurlLifecycles", dependencies: ["Measurement"], linkerSettings: [.linkedLibrary("curl")]),
        .executableTarget(name: "TunedLoop", dependencies: ["CurlLifecycles"]),
        .executableTarget(name: "RawLoop", dependencies: ["CurlLifecycles"]),
        .target(
            name: "SwiftLifecycles",
            dependencies: [.product(name: "Cycles", package: "Cycles")],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "ClientLoop",
            dependencies: ["Measurement", "SwiftLifecycles", .product(name: "Cycles", package: "Cycles")],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "GuardLoop",
            dependencies: ["Measurement", "SwiftLifecycles", .product(name: "Cycles", package: "Cycles")],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "HeldGuards",
            dependencies: ["Measurement", .product(name: "Cycles", package: "Cycles")],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "LeaseServer",
            dependencies: [
                "Measurement", .product(name: "Cycles", package: "Cycles"),
                .product(name: "CyclesTesting", package: "Cycles"),
            ],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "JSONTiming",
            dependencies: ["Measurement"],
            exclude: ["Transport/Curl"],
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "SignatureVectors",
            dependencies: [.product(name: "Cycles", package: "Cycles")],
            swiftSettings: swiftSettings
        ),
    ]
)
