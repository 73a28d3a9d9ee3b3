// swift-tools-version: 6.2
import PackageDescription

// The targets that strangers' bytes reach, built a second time with a fuzzer's instrumentation. They are links to the
// sources of the main package: nothing here needs the network library, so a build is short, and what is visible inside the
// main package is visible here. Of targets that need it, only the files that do not are linked.

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")

let package = Package(
    name: "Fuzz",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "Fuzz", targets: ["Fuzz"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibCrypto", providers: [.apt(["libssl-dev"])]),
        // The query grammar is judged by the library that its SQL is for.
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .target(name: "Multiformats", swiftSettings: settings),
        .target(name: "PeerIdentity", dependencies: ["Multiformats", crypto, cryptoExtras], swiftSettings: settings),
        .target(
            name: "P2PCore",
            dependencies: [
                "CLibCrypto", "Multiformats", "PeerIdentity", crypto, collections, orderedCollections, x509, asn1,
            ],
            swiftSettings: settings),
        .target(
            name: "GoopCore", dependencies: ["Multiformats", "PeerIdentity", crypto, cryptoExtras, orderedCollections],
            swiftSettings: settings),
        .target(name: "GoopStore", dependencies: ["GoopCore", "PeerIdentity"], swiftSettings: settings),
        .target(
            name: "P2PSwarm", dependencies: ["PeerIdentity", collections, orderedCollections], swiftSettings: settings),
        .target(
            name: "GoopHTTP", dependencies: ["GoopCore", "Multiformats", "PeerIdentity", crypto, httpTypes],
            swiftSettings: settings),
        .target(
            name: "GoopNode", dependencies: ["GoopCore", "Multiformats", "PeerIdentity", crypto],
            swiftSettings: settings),
        .target(name: "P2PDaemon", dependencies: ["Multiformats", "PeerIdentity", "P2PCore"], swiftSettings: settings),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "CSQLite", "Multiformats", "PeerIdentity", "P2PCore", "GoopCore", "GoopStore", "GoopHTTP", "GoopNode",
                "P2PSwarm", "P2PDaemon", httpTypes,
            ],
            swiftSettings: settings),
    ]
)
