// swift-tools-version: 6.2

import PackageDescription

// Builds the documentation (Scripts/documentation.sh), in a package of its own, so that users of Cycles fetch no plugin.
let package = Package(
    name: "Documentation",
    platforms: [.macOS(.v15)],
    dependencies: [
        // With all traits, so that the integrations are documented.
        .package(name: "Cycles", path: "..", traits: ["Logging", "Metrics", "Tracing", "ServiceLifecycle"]),
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0"),
    ],
    targets: [
        // The plugin documents targets on which a target of this package depends.
        .target(
            name: "Documented",
            dependencies: [
                .product(name: "Cycles", package: "Cycles"), .product(name: "CyclesTesting", package: "Cycles"),
            ],
            path: "Sources"
        )
    ]
)
