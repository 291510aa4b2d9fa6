// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "CyclesBenchmarks",
    targets: [
        .target(name: "Measurement"),
        .executableTarget(
            name: "RawLoop",
            dependencies: ["Measurement"],
            linkerSettings: [.linkedLibrary("curl")]
        ),
    ]
)
