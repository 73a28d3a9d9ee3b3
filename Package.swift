// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

// The targets that touch C socket structs: their defining module is private to SwiftNIO, so member import
// visibility cannot be satisfied there.
let socketSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

func nio(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")

let package = Package(
    name: "goop2",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "LibP2P", targets: ["LibP2P"]),
        .executable(name: "goop2", targets: ["goop2"]),
        .executable(name: "goop2-p2pd", targets: ["goop2-p2pd"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Level 0 to 2: no I/O, no SwiftNIO.
        .systemLibrary(name: "CLibCrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CResolv", providers: [.apt(["libc6-dev"])]),
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
        // Level 3: the only target that sees SQLite.
        .target(
            name: "GoopStore", dependencies: ["GoopCore", "Multiformats", "PeerIdentity", grdb, sqlite],
            swiftSettings: settings
        ),

        // Level 3 and 4, continued: the thin adapters, and the library's public face.
        .target(
            name: "P2PSwarm",
            dependencies: [
                "CResolv", "Multiformats", "PeerIdentity", "P2PCore", nio("NIOCore"), nio("NIOPosix"),
                nio("NIOConcurrencyHelpers"),
                nio("NIOTLS"), .product(name: "NIOSSL", package: "swift-nio-ssl"), crypto, collections,
                orderedCollections, logging, metrics,
                x509, asn1,
            ],
            swiftSettings: socketSettings),
        .target(
            name: "LibP2P",
            dependencies: [
                "Multiformats", "PeerIdentity", "P2PCore", "P2PSwarm", nio("NIOCore"), nio("NIOPosix"),
                collections, logging, metrics, lifecycle,
            ],
            swiftSettings: settings),
        .target(
            name: "GoopHTTP",
            dependencies: [
                "GoopCore", "Multiformats", "PeerIdentity", hummingbird, nio("NIOCore"), nio("NIOHTTP1"),
                nio("NIOPosix"), .product(name: "NIOSSL", package: "swift-nio-ssl"), crypto,
                logging, lifecycle,
            ],
            resources: [.embedInCode("Web")],
            swiftSettings: settings),

        // Level 5 and 6: the peer, and the programs.
        .target(
            name: "GoopNode",
            dependencies: [
                "GoopCore", "GoopHTTP", "GoopStore", "LibP2P", "Multiformats", "PeerIdentity", nio("NIOCore"),
                nio("NIOPosix"), crypto,
                logging, lifecycle,
            ],
            resources: [.embedInCode("Starters")],
            swiftSettings: settings),
        .executableTarget(
            name: "goop2",
            dependencies: [
                "GoopNode", "GoopCore", "GoopStore", "LibP2P", "PeerIdentity", nio("NIOCore"), nio("NIOPosix"),
                arguments, logging, lifecycle,
            ],
            swiftSettings: settings),
        .target(
            name: "P2PDaemon",
            dependencies: [
                "LibP2P", "Multiformats", "PeerIdentity", "P2PCore", nio("NIOCore"), nio("NIOPosix"), logging,
                lifecycle,
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "goop2-p2pd", dependencies: ["P2PDaemon", logging, lifecycle, signals], swiftSettings: settings),

        // A peer that only discovers, for the LAN lab.
        .executableTarget(
            name: "mdns-probe",
            dependencies: ["LibP2P", "Multiformats", "PeerIdentity", nio("NIOPosix"), logging, lifecycle],
            path: "lab/mdns-probe", swiftSettings: settings),

        // What a program on the library looks like; Examples/run plays them against each other.
        .executableTarget(
            name: "example-echo", dependencies: ["LibP2P", nio("NIOCore")], path: "Examples/Echo",
            swiftSettings: settings),
        .executableTarget(
            name: "example-chat", dependencies: ["LibP2P"], path: "Examples/Chat", swiftSettings: settings),
        .executableTarget(
            name: "example-send", dependencies: ["LibP2P", nio("NIOCore")], path: "Examples/SendFile",
            swiftSettings: settings),

        // What bench/run measures.
        .executableTarget(
            name: "bench-connections", dependencies: ["LibP2P", nio("NIOCore"), nio("NIOPosix")],
            path: "Benchmarks/Connections", swiftSettings: settings),
        .executableTarget(
            name: "bench-tables",
            dependencies: ["GoopNode", "GoopCore", "GoopStore", "LibP2P", nio("NIOCore"), nio("NIOPosix"), logging],
            path: "Benchmarks/Tables", swiftSettings: settings),
        .executableTarget(name: "link-shaper", path: "Benchmarks/LinkShaper", swiftSettings: settings),

        // Tests.
        .target(
            name: "GoopTestKit", dependencies: ["Multiformats", "PeerIdentity", "P2PCore", "GoopCore"],
            swiftSettings: settings),
        .testTarget(name: "MultiformatsTests", dependencies: ["Multiformats", "GoopTestKit"], swiftSettings: settings),
        .testTarget(name: "PeerIdentityTests", dependencies: ["PeerIdentity", "GoopTestKit"], swiftSettings: settings),
        .testTarget(
            name: "P2PCoreTests",
            dependencies: ["P2PCore", "GoopTestKit", crypto, collections, orderedCollections, x509, asn1],
            swiftSettings: settings),
        .testTarget(
            name: "P2PSwarmTests",
            dependencies: [
                "P2PSwarm", "GoopTestKit", nio("NIOCore"), nio("NIOPosix"), nio("NIOEmbedded"), logging,
            ],
            swiftSettings: socketSettings),
        .testTarget(
            name: "LibP2PTests",
            dependencies: ["LibP2P", "P2PSwarm", "GoopTestKit", nio("NIOCore"), nio("NIOPosix"), logging],
            swiftSettings: settings),
        .testTarget(name: "GoopCoreTests", dependencies: ["GoopCore", "GoopTestKit"], swiftSettings: settings),
        .testTarget(
            name: "GoopStoreTests",
            dependencies: ["GoopStore", "GoopCore", "Multiformats", "PeerIdentity", "GoopTestKit", grdb, sqlite],
            swiftSettings: settings),
        .testTarget(
            name: "GoopHTTPTests",
            dependencies: [
                "GoopHTTP", "GoopCore", "Multiformats", "PeerIdentity", "GoopTestKit", hummingbird, nio("NIOCore"),
                nio("NIOPosix"), nio("NIOEmbedded"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
                logging,
                lifecycle,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "GoopNodeTests",
            dependencies: [
                "GoopNode", "GoopCore", "GoopHTTP", "GoopStore", "LibP2P", "GoopTestKit", nio("NIOCore"),
                nio("NIOPosix"),
                logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "P2PDaemonTests",
            dependencies: [
                "P2PDaemon", "LibP2P", "Multiformats", "PeerIdentity", "GoopTestKit", nio("NIOCore"), nio("NIOPosix"),
                nio("NIOEmbedded"), logging,
            ],
            swiftSettings: settings),
        .testTarget(
            name: "SimulationTests", dependencies: ["P2PCore", "GoopCore", "GoopTestKit"], swiftSettings: settings),
    ]
)
