import LibP2P
import NIOCore

/// Speed of connections between two nodes of ours in one process.
///
///     bench-connections [noise|tls] [throughput|streams|echo|idle-streams|idle-connections] [rounds] [mib=N] [on-loop]
///
/// `throughput`: 1 GiB (or N MiB) in 64 KiB writes on one stream. `streams`: opened, one byte each way, closed; 16 at a time.
/// `echo`: 32 bytes there and back on one stream. `idle-…`: memory of what is open and silent; once, in a process of its own.
@main
struct ConnectionBenchmarks {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        let security: ProtocolID = arguments.contains("tls") ? "/tls/1.0.0" : "/noise"
        let rounds = arguments.compactMap(Int.init).first ?? 3
        let mebibytes = arguments.compactMap { $0.hasPrefix("mib=") ? Int($0.dropFirst(4)) : nil }.first ?? 1024
        let all = ["throughput", "streams", "echo"]
        if arguments.contains("idle-streams") {
            return try await Idle.streams(security, withTasks: !arguments.contains("on-loop"))
        }
        if arguments.contains("idle-connections") { return try await Idle.connections(security) }
        let chosen = all.filter(arguments.contains)
        for benchmark in chosen.isEmpty ? all : chosen {
            let pair = try await NodePair(security: security, onLoop: arguments.contains("on-loop"))
            for _ in 0..<rounds {
                switch benchmark {
                case "throughput": try await throughput(pair, security, bytes: mebibytes << 20)
                case "streams": try await streams(pair, security)
                default: try await echo(pair, security)
                }
            }
            await pair.stop()
        }
    }

    static func throughput(_ pair: NodePair, _ security: ProtocolID, bytes size: Int) async throws {
        let piece = ByteBuffer(repeating: 7, count: 64 * 1024)
        let stream = try await pair.near.openStream(to: pair.far.peerID, protocols: [NodePair.sink])
        let clock = ContinuousClock()
        let processor = processorSeconds()
        let start = clock.now
        for _ in 0..<(size / piece.readableBytes) { try await stream.write(piece) }
        try await stream.closeWrite()
        while try await stream.read() != nil {}
        let seconds = (clock.now - start).inSeconds
        let used = processorSeconds() - processor
        await stream.close()
        print(
            "throughput \(security): \(rounded(Double(size) * 8 / seconds / 1e9)) Gbit/s,",
            "\(rounded(used / Double(size) * Double(1 << 30))) CPU s/GiB both ends")
    }

    static func streams(_ pair: NodePair, _ security: ProtocolID) async throws {
        let count = 20_000
        let width = 16
        let clock = ContinuousClock()
        let processor = processorSeconds()
        let start = clock.now
        let times = try await withThrowingTaskGroup(of: [Double].self) { group in
            for _ in 0..<width {
                group.addTask {
                    var times: [Double] = []
                    for _ in 0..<(count / width) {
                        let begun = clock.now
                        let stream = try await pair.near.openStream(to: pair.far.peerID, protocols: [NodePair.sink])
                        try await stream.write([1])
                        try await stream.closeWrite()
                        while try await stream.read() != nil {}
                        await stream.close()
                        times.append((clock.now - begun).inSeconds * 1e6)
                    }
                    return times
                }
            }
            var all: [Double] = []
            for try await times in group { all += times }
            return all
        }
        let seconds = (clock.now - start).inSeconds
        let used = processorSeconds() - processor
        let (p50, _, p99) = percentiles(times)
        print(
            "streams \(security): \(rounded(Double(count) / seconds, 0)) a second, p50 \(rounded(p50, 0)) us,",
            "p99 \(rounded(p99, 0)) us, \(rounded(used / Double(count) * 1e6, 0)) CPU us each")
    }

    static func echo(_ pair: NodePair, _ security: ProtocolID) async throws {
        let stream = try await pair.near.openStream(to: pair.far.peerID, protocols: [NodePair.echo])
        let clock = ContinuousClock()
        let message = ByteBuffer(repeating: 3, count: 32)
        var times: [Double] = []
        for _ in 0..<20_000 {
            let begun = clock.now
            try await stream.write(message)
            var missing = 32
            while missing > 0, let bytes = try await stream.read() { missing -= bytes.readableBytes }
            times.append((clock.now - begun).inSeconds * 1e6)
        }
        await stream.close()
        let (p50, p90, p99) = percentiles(times)
        print("echo \(security): p50 \(rounded(p50, 1)) us, p90 \(rounded(p90, 1)) us, p99 \(rounded(p99, 1)) us")
    }
}
