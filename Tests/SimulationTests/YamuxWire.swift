import GoopTestKit
import P2PCore

/// Two Yamux machines on a wire with a rate, joined as the engine joins them: control frames first, then the streams in turn,
/// for as long as the socket takes them. Payload is a number, read as soon as it is here.
struct YamuxWire {
    struct End {
        var machine: YamuxMachine
        /// Streams that are written to without end; the first is next.
        var writing: [UInt32] = []
        /// Control frames that wait for the socket.
        var control: [YamuxHeader] = []
        /// Bytes that the socket was given and that have not left.
        var unsent = 0
        /// The same, when last looked at while the socket was full.
        var unsentBefore = 0
        var isFull = false
        var received = 0
        var roundTrips: [Duration] = []
        var failure: YamuxError?
        /// The timer that counts.
        var armed = MonotonicInstant(nanoseconds: .max)
    }

    /// The socket is full with so many unsent bytes, as in the engine, and takes more when there are so few left.
    static let (fullAt, freeAt) = (512 * 1024, 128 * 1024)
    /// Small, since a frame is here all at once: the engine sees life in each of its pieces.
    private static let frameBytes = 8 * 1024

    private(set) var ends: [End]
    private var network: VirtualNetwork<YamuxHeader>

    init(bytesPerSecond: Int, latency: Duration) {
        network = VirtualNetwork(seed: 1)
        network.connect(0, 1, quality: .init(latency: latency, bytesPerSecond: bytesPerSecond))
        ends = [.initiator, .responder].map { End(machine: YamuxMachine(role: $0, now: .zero)) }
        for end in ends.indices { act(end) { $0.start(now: $1, into: &$2) } }
    }

    /// Opens streams that an end writes to from now on, without end.
    mutating func write(from end: Int, streams: Int) {
        for _ in 0..<streams {
            var opened: UInt32?
            act(end) { machine, now, _ in
                if case .opened(let id) = machine.openStream(now: now) { opened = id }
            }
            if let opened { ends[end].writing.append(opened) }
        }
        fill(end)
    }

    mutating func run(for duration: Duration) {
        let until = network.now.advanced(by: duration)
        while let event = network.next(until: until) {
            switch event {
            case .packet(let header, _, let end):
                act(end) { machine, now, events throws(YamuxError) in
                    try machine.received(header, now: now, into: &events)
                }
            case .sent(let bytes, let end, _): left(bytes, of: end)
            case .timer(let end, _): if ends[end].armed == network.now { timerFired(end) }
            case .step: break
            }
        }
    }

    private mutating func left(_ bytes: Int, of end: Int) {
        ends[end].unsent -= bytes
        guard ends[end].isFull, ends[end].unsent <= Self.freeAt else { return }
        ends[end].isFull = false
        act(end) { machine, now, _ in machine.writabilityChanged(true, now: now) }
    }

    private mutating func timerFired(_ end: Int) {
        ends[end].armed = MonotonicInstant(nanoseconds: .max)
        let hasSent = ends[end].isFull && ends[end].unsent < ends[end].unsentBefore
        ends[end].unsentBefore = ends[end].unsent
        act(end) { machine, now, events throws(YamuxError) in
            if hasSent { machine.bytesSent(now: now) }
            try machine.timerFired(now: now, into: &events)
        }
    }

    private mutating func act(
        _ end: Int,
        _ body: (inout YamuxMachine, MonotonicInstant, inout [YamuxMachine.Event]) throws(YamuxError) -> Void
    ) {
        guard ends[end].failure == nil else { return }
        var events: [YamuxMachine.Event] = []
        var machine = ends[end].machine
        do throws(YamuxError) { try body(&machine, network.now, &events) } catch { ends[end].failure = error }
        ends[end].machine = machine
        for event in events { handle(event, at: end) }
        fill(end)
        let due = ends[end].machine.nextDeadline
        guard due < ends[end].armed else { return }
        ends[end].armed = due
        network.setTimer(node: end, at: due)
    }

    private mutating func handle(_ event: YamuxMachine.Event, at end: Int) {
        switch event {
        case .send(let header): ends[end].control.append(header)
        case .opened(let id): act(end) { machine, now, _ in machine.accept(id, now: now) }
        case .payload(let id, let count):
            ends[end].received += Int(count)
            act(end) { machine, now, events in
                machine.payloadCompleted(into: &events)
                if let id { machine.consumed(id, count: Int(count), now: now, into: &events) }
            }
        case .roundTrip(let time): ends[end].roundTrips.append(time)
        default: break
        }
    }

    private mutating func fill(_ end: Int) {
        while !ends[end].isFull, let header = nextFrame(of: end) {
            let bytes = YamuxHeader.length + (header.kind == .data ? Int(header.length) : 0)
            network.send(header, bytes: bytes, from: end, to: 1 - end)
            ends[end].unsent += bytes
            guard ends[end].unsent >= Self.fullAt else { continue }
            ends[end].isFull = true
            ends[end].unsentBefore = ends[end].unsent
            ends[end].machine.writabilityChanged(false, now: network.now)
        }
    }

    private mutating func nextFrame(of end: Int) -> YamuxHeader? {
        if !ends[end].control.isEmpty { return ends[end].control.removeFirst() }
        for _ in ends[end].writing.indices {
            let id = ends[end].writing.removeFirst()
            ends[end].writing.append(id)
            if let header = ends[end].machine.claim(id, count: Self.frameBytes) { return header }
        }
        return nil
    }
}
