import Glibc

/// Both ends of the echo and open figures of `bench/daemons.py`, without an interpreter: the client's sockets on one thread, those of
/// the server that the far daemon connects to on another.
///
/// Knows nothing of the control protocol: what opens a stream is written as it was given, and the answer's length prefix says where
/// the stream begins. Without a request there is no answer and no head either: then it drives bare relays.
struct Drive {
    /// Where each stream begins: the near daemon's control socket, or the near relay's.
    let front: RelayEnd
    /// Where this program serves the streams of the far side.
    let back: RelayEnd
    /// The framed request that turns a control connection into a stream; empty for relays.
    let request: [UInt8]

    private static let echoes = 4_000
    private static let opens = 1_000

    func run() throws {
        if case .unix(let path) = back { unlink(path) }
        let listener = try back.open("bind", bind)
        try check("listen", listen(listener, 128))
        let hasHead = !request.isEmpty
        let server = Server(listener: listener, hasHead: hasHead)
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<Server>.fromOpaque(raw).takeRetainedValue().serve()
                return nil
            }, Unmanaged.passRetained(server).toOpaque())
        print("ready")
        fflush(nil)
        // The far daemon has to learn of the server first: whoever started this says when.
        _ = readLine()
        let stream = try open()
        var echoes: [Double] = []
        let message = [UInt8](repeating: 101, count: 32)
        for _ in 0..<Self.echoes {
            let begun = steadyNanoseconds()
            try send(message, to: stream)
            try receive(message.count, from: stream)
            echoes.append(Double(steadyNanoseconds() - begun) / 1e3)
        }
        close(stream)
        var opens: [Double] = []
        for _ in 0..<Self.opens {
            let begun = steadyNanoseconds()
            let stream = try open()
            try send([49], to: stream)
            try receive(1, from: stream)
            opens.append(Double(steadyNanoseconds() - begun) / 1e3)
            close(stream)
        }
        print("\(median(echoes)) \(median(opens))")
    }

    /// Without the first tenth, which warms up.
    private func median(_ values: [Double]) -> Double {
        let sorted = values.dropFirst(values.count / 10).sorted()
        return sorted[sorted.count / 2]
    }

    private func open() throws -> Int32 {
        let descriptor = try front.open("connect", connect)
        guard !request.isEmpty else { return descriptor }
        try send(request, to: descriptor)
        try receive(frame(descriptor), from: descriptor)
        return descriptor
    }
}

/// The server's end: echoes whatever comes on every connection, one thread for all.
private final class Server {
    let listener: Int32
    /// Whether each stream begins with a framed message that is not the peer's.
    let hasHead: Bool

    init(listener: Int32, hasHead: Bool) {
        self.listener = listener
        self.hasHead = hasHead
    }

    func serve() {
        let size = 64 * 1024
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
        var watched = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
        var awaitsHead: Set<Int32> = []
        while true {
            poll(&watched, nfds_t(watched.count), -1)
            var gone: Set<Int32> = []
            var new: [Int32] = []
            for descriptor in watched.filter({ $0.revents != 0 }).map(\.fd) {
                if descriptor == listener {
                    let accepted = accept(listener, nil, nil)
                    guard accepted >= 0 else { return }
                    new.append(accepted)
                    if hasHead { awaitsHead.insert(accepted) }
                    continue
                }
                if awaitsHead.remove(descriptor) != nil {
                    // The daemon writes the head at once and whole; what follows it is left to the next turn.
                    if (try? receive(frame(descriptor), from: descriptor)) == nil { gone.insert(descriptor) }
                    continue
                }
                let length = read(descriptor, buffer, size)
                if length <= 0 || write(descriptor, buffer, length) != length { gone.insert(descriptor) }
            }
            for descriptor in gone { close(descriptor) }
            if !gone.isEmpty { watched.removeAll { gone.contains($0.fd) } }
            watched += new.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        }
    }
}

/// The length of the framed message that follows: an unsigned varint.
private func frame(_ descriptor: Int32) throws -> Int {
    var length = 0
    for shift in stride(from: 0, to: 28, by: 7) {
        var byte: UInt8 = 0
        guard read(descriptor, &byte, 1) == 1 else { throw SystemFailure(call: "read", code: errno) }
        length |= Int(byte & 0x7f) << shift
        if byte < 0x80 { return length }
    }
    throw SystemFailure(call: "frame", code: 0)
}

private func send(_ bytes: [UInt8], to descriptor: Int32) throws {
    guard try check("write", write(descriptor, bytes, bytes.count)) == bytes.count else {
        throw SystemFailure(call: "write", code: 0)
    }
}

private func receive(_ count: Int, from descriptor: Int32) throws {
    try withUnsafeTemporaryAllocation(byteCount: max(count, 1), alignment: 1) { buffer in
        var missing = count
        while missing > 0 {
            let length = try check("read", read(descriptor, buffer.baseAddress, missing))
            guard length > 0 else { throw SystemFailure(call: "read", code: 0) }
            missing -= length
        }
    }
}
