// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "goop2-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "goop2", path: ".."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    ],
    targets: [
        .executableTarget(
            name: "ConnectionBenchmark",
            dependencies: [
                .product(name: "LibP2P", package: "goop2"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ])
    ]
)
