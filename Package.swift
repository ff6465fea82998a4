// swift-tools-version: 6.1
import PackageDescription

// Targets stand in the order of the parts: imports point up this list and never down.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let cryptoExtras: Target.Dependency = .product(name: "CryptoExtras", package: "swift-crypto")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
]
/// The web server, for the `Web` part only.
let hummingbird: [Target.Dependency] = [
    .product(name: "Hummingbird", package: "hummingbird"), .product(name: "HTTPTypes", package: "swift-http-types"),
    .product(name: "Logging", package: "swift-log"),
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
    .product(name: "UnixSignals", package: "swift-service-lifecycle"),
]
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let toml: Target.Dependency = .product(name: "TOMLKit", package: "TOMLKit")

/// The tests of one part, and the parts below it that they use.
func tests(_ part: String, _ others: String...) -> Target {
    .testTarget(
        name: part + "Tests",
        dependencies: Set(["Base", "TestSupport", part] + others).sorted().map { .byName(name: $0) } + [system],
        swiftSettings: settings)
}

let package = Package(
    name: "git-ml",
    products: [.executable(name: "git-ml", targets: ["git-ml"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", exact: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", exact: "0.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(
            name: "CLibgit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"]), .brew(["libgit2"])]),
        .systemLibrary(
            name: "CLibcurl", pkgConfig: nil, providers: [.apt(["libcurl4-openssl-dev"]), .brew(["curl"])]),
        .target(name: "CurlShim", dependencies: ["CLibcurl"]),
        .target(name: "Base", dependencies: [crypto, subprocess, system, yams], swiftSettings: settings),
        .target(name: "GitKit", dependencies: ["Base", "CLibgit2", system], swiftSettings: settings),
        .target(
            name: "Transport", dependencies: ["Base", "CurlShim", crypto, cryptoExtras, system],
            swiftSettings: settings),
        .target(name: "Storage", dependencies: ["Base", "Transport", system], swiftSettings: settings),
        .target(name: "Pointers", dependencies: ["Base", "GitKit", "Storage", system], swiftSettings: settings),
        .target(
            name: "Runs", dependencies: ["Base", "GitKit", "Storage", "Pointers", grdb, sqlite, system, toml],
            swiftSettings: settings),
        .target(
            name: "Models", dependencies: ["Base", "GitKit", "Storage", "Pointers", "Runs", system],
            swiftSettings: settings),
        // Optimised always: a debug build would deflate a hundred times slower, and the tests make real images.
        .target(name: "CCRC32", cSettings: [.unsafeFlags(["-O2"])]),
        .target(name: "Gzip", dependencies: ["CCRC32"], swiftSettings: settings + [.unsafeFlags(["-O"])]),
        .target(
            name: "Images", dependencies: ["Base", "Gzip", "Storage", "Transport", system], swiftSettings: settings),
        .target(
            name: "Delivery",
            dependencies: [
                "Base", "GitKit", "Transport", "Storage", "Pointers", "Runs", "Models", "Images", mustache, system,
            ] + nio,
            swiftSettings: settings),
        .target(
            name: "Web",
            dependencies: ["Base", "GitKit", "Storage", "Pointers", "Runs", "Models", "Delivery", system] + hummingbird
                + nio,
            swiftSettings: settings),
        .target(
            name: "Commands",
            dependencies: [
                "Base", "GitKit", "Transport", "Storage", "Pointers", "Runs", "Models", "Images", "Delivery", "Web",
                argumentParser, system,
            ],
            swiftSettings: settings),
        .executableTarget(name: "git-ml", dependencies: ["Commands"], swiftSettings: settings),
        .target(name: "TestSupport", dependencies: ["Base", system], swiftSettings: settings),
        tests("Base"),
        tests("GitKit"),
        tests("Transport"),
        tests("Storage", "Transport"),
        tests("Pointers", "GitKit", "Storage"),
        tests("Runs", "GitKit", "Storage", "Pointers"),
        tests("Models", "GitKit", "Runs"),
        tests("Images", "Gzip", "Storage", "Transport"),
        tests("Delivery", "GitKit", "Transport", "Runs", "Models", "Images"),
        tests("Web", "GitKit", "Runs"),
        .testTarget(name: "EndToEndTests", dependencies: ["Base", "TestSupport", system], swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
