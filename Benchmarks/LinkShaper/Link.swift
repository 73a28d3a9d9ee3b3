import Glibc

/// Two TUN devices, and a link between them with a delay, a loss, and a rate.
///
/// Each packet waits its turn behind those before it at the link's rate, and then half the round trip. One that would wait
/// longer than 100 ms for its turn is dropped, as in a router's queue. Loss is drawn for each packet, from a fixed seed.
struct Link {
    private static let slots = 65_536
    private static let slotBytes = 2_048
    private static let longestQueue: UInt64 = 100_000_000

    /// One way: packets in the order of their arrival, which is that of their departure.
    private struct Way {
        let input: Int32
        let output: Int32
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Link.slots * Link.slotBytes, alignment: 64)
        var lengths = [Int](repeating: 0, count: Link.slots)
        var due = [UInt64](repeating: 0, count: Link.slots)
        var first = 0
        var count = 0
        var lastDeparture: UInt64 = 0
        var carried = 0
        var lost = 0
        var dropped = 0
    }

    private var ways: [Way]
    private let delay: UInt64
    private let loss: Double
    private let nanosecondsPerByte: Double
    private var random: UInt64 = 0x9e37_79b9_7f4a_7c15

    init(_ nameA: String, _ nameB: String, delay: Double, loss: Double, megabits: Double) throws {
        let (a, b) = (try Self.openTUN(nameA), try Self.openTUN(nameB))
        self.ways = [Way(input: a, output: b), Way(input: b, output: a)]
        self.delay = UInt64(delay * 1_000_000)
        self.loss = loss / 100
        self.nanosecondsPerByte = 8_000 / megabits
    }

    private static func openTUN(_ name: String) throws -> Int32 {
        let device = try check("open /dev/net/tun", open("/dev/net/tun", O_RDWR | O_NONBLOCK))
        // struct ifreq: the name in 16 bytes, then the flags.
        var request = [UInt8](repeating: 0, count: 40)
        for (index, byte) in name.utf8.prefix(15).enumerated() { request[index] = byte }
        let flags: UInt16 = 0x0001 | 0x1000  // IFF_TUN, IFF_NO_PI
        request[16] = UInt8(truncatingIfNeeded: flags)
        request[17] = UInt8(truncatingIfNeeded: flags >> 8)
        let tunSetInterface: UInt = 0x4004_54ca
        let outcome = request.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { ioctl(device, tunSetInterface, $0) } ?? -1
        }
        try check("TUNSETIFF", outcome)
        return device
    }

    /// Carries packets until standard input ends.
    mutating func run() throws {
        fflush(nil)
        var watched = [
            pollfd(fd: ways[0].input, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ways[1].input, events: Int16(POLLIN), revents: 0),
            pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            let now = steadyNanoseconds()
            var next: UInt64 = now + 1_000_000_000
            for index in ways.indices {
                deliver(index, now: now)
                if ways[index].count > 0 { next = min(next, ways[index].due[ways[index].first]) }
            }
            // To the millisecond: what is due sooner leaves with the next arrival, or a little late.
            let wait = next > now ? max(1, (next - now) / 1_000_000) : 0
            try check("poll", poll(&watched, 3, Int32(wait)))
            for index in 0..<2 where watched[index].revents != 0 { accept(index) }
            if watched[2].revents != 0 { break }
        }
        for (name, way) in zip(["a to b", "b to a"], ways) {
            print("\(name): \(way.carried) packets carried, \(way.lost) lost, \(way.dropped) dropped by the full queue")
        }
    }

    private mutating func accept(_ index: Int) {
        for _ in 0..<256 {
            let slot = (ways[index].first + ways[index].count) % Self.slots
            let length = read(ways[index].input, ways[index].memory + slot * Self.slotBytes, Self.slotBytes)
            guard length > 0 else { return }
            let now = steadyNanoseconds()
            let start = max(now, ways[index].lastDeparture)
            guard start - now <= Self.longestQueue, ways[index].count < Self.slots - 1 else {
                ways[index].dropped += 1
                continue
            }
            ways[index].lastDeparture = start + UInt64(Double(length) * nanosecondsPerByte)
            if draw() < loss {
                ways[index].lost += 1
                continue
            }
            ways[index].lengths[slot] = length
            ways[index].due[slot] = ways[index].lastDeparture + delay
            ways[index].count += 1
        }
    }

    private mutating func deliver(_ index: Int, now: UInt64) {
        while ways[index].count > 0, ways[index].due[ways[index].first] <= now {
            let slot = ways[index].first
            // A device that is down loses what it gets, as a cable does.
            _ = write(ways[index].output, ways[index].memory + slot * Self.slotBytes, ways[index].lengths[slot])
            ways[index].first = (slot + 1) % Self.slots
            ways[index].count -= 1
            ways[index].carried += 1
        }
    }

    /// From 0 up to 1; splitmix64.
    private mutating func draw() -> Double {
        random &+= 0x9e37_79b9_7f4a_7c15
        var z = random
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return Double((z ^ (z >> 31)) >> 11) / 9_007_199_254_740_992
    }
}
