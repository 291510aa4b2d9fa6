// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "WebhookReceiver",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "Cycles", path: "../..")],
    targets: [
        .target(name: "WebhookReceiver", dependencies: ["Cycles"]),
        .executableTarget(
            name: "receiver",
            dependencies: ["WebhookReceiver", "Cycles", .product(name: "CyclesTesting", package: "Cycles")]
        ),
        .testTarget(
            name: "WebhookReceiverTests",
            dependencies: ["WebhookReceiver", .product(name: "CyclesTesting", package: "Cycles")]
        ),
    ]
)
