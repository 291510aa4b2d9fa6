// swift-tools-version: 6.2

import PackageDescription

// A consumer of the package and the tests of its traits, in a package of their own, so that Cycles itself needs no test
// helpers of other packages. CYCLES_TRAITS names the traits to enable, separated by commas.
let traits = Set((Context.environment["CYCLES_TRAITS"] ?? "").split(separator: ",").map(String.init))

var dependencies: [Package.Dependency] = [
    .package(name: "Cycles", path: "../..", traits: Set(traits.map { .init(stringLiteral: $0) }))
]
var testDependencies: [Target.Dependency] = [
    .product(name: "Cycles", package: "Cycles"), .product(name: "CyclesTesting", package: "Cycles"),
]
if traits.contains("Logging") {
    dependencies.append(.package(url: "https://github.com/apple/swift-log", from: "1.14.0"))
    testDependencies.append(.product(name: "InMemoryLogging", package: "swift-log"))
}
if traits.contains("Metrics") {
    dependencies.append(.package(url: "https://github.com/apple/swift-metrics", from: "2.7.0"))
    testDependencies.append(.product(name: "MetricsTestKit", package: "swift-metrics"))
}
if traits.contains("Tracing") {
    dependencies.append(.package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.3.0"))
    testDependencies.append(.product(name: "InMemoryTracing", package: "swift-distributed-tracing"))
}
if traits.contains("ServiceLifecycle") {
    dependencies.append(.package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"))
    testDependencies.append(.product(name: "ServiceLifecycle", package: "swift-service-lifecycle"))
    testDependencies.append(.product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"))
}
let settings = traits.sorted().map { SwiftSetting.define($0) }

let package = Package(
    name: "Integrations",
    platforms: [.macOS(.v15)],
    dependencies: dependencies,
    targets: [
        .executableTarget(
            name: "Consumer",
            dependencies: [.product(name: "Cycles", package: "Cycles")],
            path: "Consumer",
            swiftSettings: settings
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: testDependencies,
            path: "IntegrationTests",
            swiftSettings: settings
        ),
    ]
)
