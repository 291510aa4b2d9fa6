// swift-tools-version: 6.2

import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// The integrations. A package is fetched only if its trait is enabled.
let integrations: [Target.Dependency] = [
    .product(name: "Logging", package: "swift-log", condition: .when(traits: ["Logging"])),
    .product(name: "CoreMetrics", package: "swift-metrics", condition: .when(traits: ["Metrics"])),
    .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Tracing"])),
    .product(
        name: "ServiceLifecycle",
        package: "swift-service-lifecycle",
        condition: .when(traits: ["ServiceLifecycle"])
    ),
]

let package = Package(
    name: "Cycles",
    // No libcurl is in the SDKs of iOS, tvOS, watchOS and visionOS.
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Cycles", targets: ["Cycles"]),
        .library(name: "CyclesTesting", targets: ["CyclesTesting"]),
        .executable(name: "cycles", targets: ["CyclesCLI"]),
    ],
    traits: [
        .trait(name: "Logging", description: "LoggingObserver writes a client's events to swift-log"),
        .trait(name: "Metrics", description: "MetricsObserver counts and times a client's work with swift-metrics"),
        .trait(name: "Tracing", description: "A span for each operation, with swift-distributed-tracing"),
        .trait(name: "ServiceLifecycle", description: "CyclesClient is a Service of swift-service-lifecycle"),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.1.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CCurl",
            pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]
        ),
        .target(name: "Cycles", dependencies: ["CCurl"] + integrations, swiftSettings: swiftSettings),
        .target(name: "CyclesTesting", dependencies: ["Cycles"], swiftSettings: swiftSettings),
        .executableTarget(
            name: "CyclesCLI",
            dependencies: ["Cycles", "CyclesTesting"],
            swiftSettings: swiftSettings
        ),
        .target(
            name: "CyclesSimulation",
            dependencies: ["Cycles", "CyclesTesting"],
            path: "Tests/CyclesSimulation",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "Simulate",
            dependencies: ["CyclesSimulation"],
            path: "Tests/Simulate",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "Soak",
            dependencies: ["Cycles", "CyclesTesting"],
            path: "Tests/Soak",
            swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "Faults",
            dependencies: ["Cycles", "CyclesTesting"],
            path: "Tests/Faults",
            swiftSettings: swiftSettings
        ),
        .testTarget(
            name: "CyclesTests",
            dependencies: ["Cycles", "CyclesTesting", "CyclesSimulation"],
            swiftSettings: swiftSettings
        ),
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
        .testTarget(
            name: "FuzzingTests",
            dependencies: ["Cycles", "CyclesTesting", "CyclesCLI"],
            path: "Tests/Fuzzing",
            exclude: ["Corpus", "Dictionaries", "LibFuzzer.swift"],
            swiftSettings: swiftSettings
        ),
    ]
)
