import NIOCore
import NIOPosix
import P2PCore
import P2PSwarm
import PeerIdentity
import Testing

/// A peer that shakes hands like any other and then says whatever a test wants. Confined to one event loop.
final class HostilePeer: BytePipeReceiver {
    private let pipe: MemoryPipe
    private var upgrade: ConnectionUpgrade
    private var session: NoiseSession?
    private(set) var received: [UInt8] = []
    private var sealed: [UInt8] = []
    private var isOver = false
    /// Hears no more.
    var isDeaf = false
    /// Does nothing more, as a process that is stopped: neither hears nor answers the other side's end.
    var isFrozen = false
    private var waiting: [(test: (YamuxHeader) -> Bool, promise: EventLoopPromise<Void>)] = []

    /// What a test waited for did not come.
    struct NeverSaid: Error {}

    init(pipe: MemoryPipe, identity: PrivateKey = .generate()) {
        self.pipe = pipe
        self.upgrade = ConnectionUpgrade(
            role: .initiator, configuration: .init(identity: identity), keys: ConnectionPair.keys())
    }

    func pipeOpened() { self.execute(self.upgrade.start()) }

    func pipeReceived(_ bytes: ByteBuffer) {
        if self.isDeaf || self.isFrozen { return }
        if self.session == nil {
            self.execute(self.upgrade.received(ArraySlice(bytes.readableBytesView)))
        } else {
            self.sealed += Array(bytes.readableBytesView)
            self.openAll()
        }
    }

    func pipeReceiveCompleted() {}
    func pipeWritabilityChanged() {}
    func pipeInputClosed() {
        if !self.isFrozen { self.pipe.close() }
    }
    func pipeClosed(_ error: (any Error)?) {
        self.isOver = true
        for waiter in self.waiting { waiter.promise.fail(NeverSaid()) }
        self.waiting = []
    }

    /// Tells the promise of the first frame received, or to come, for which `test` holds; fails if the pipe ends before.
    func hear(_ test: @escaping (YamuxHeader) -> Bool, _ promise: EventLoopPromise<Void>) {
        self.waiting.append((test, promise))
        self.tellWaiting()
        if self.isOver { self.pipeClosed(nil) }
    }

    /// The frames received, if none of them had a payload.
    var headers: [YamuxHeader] {
        stride(from: 0, to: self.received.count - 11, by: 12).compactMap { start in
            try? YamuxHeader(Array(self.received[start..<(start + 12)]))
        }
    }

    private func tellWaiting() {
        guard !self.waiting.isEmpty else { return }
        let headers = self.headers
        self.waiting.removeAll { waiter in
            guard headers.contains(where: waiter.test) else { return false }
            waiter.promise.succeed()
            return true
        }
    }

    private func execute(_ actions: [ConnectionUpgrade.Action]) {
        for action in actions {
            switch action {
            case .send(let bytes): self.pipe.writeAndFlush(ByteBuffer(bytes: bytes))
            case .finished(let result):
                self.session = result.noise
                self.received = result.plaintextLeftover
                self.sealed = result.leftover
                self.openAll()
            case .startTLS, .presumeTLS, .failed: Issue.record("the handshake went astray: \(action)")
            }
        }
    }

    private func openAll() {
        while self.sealed.count >= 2 {
            let size = Int(self.sealed[0]) << 8 | Int(self.sealed[1])
            guard self.sealed.count >= 2 + size else { break }
            let message = Array(self.sealed[2..<(2 + size)])
            self.sealed.removeFirst(2 + size)
            var plaintext = [UInt8](repeating: 0, count: max(0, size - NoiseCipher.tagLength))
            plaintext.withUnsafeMutableBytes { output in
                message.withUnsafeBytes { source in
                    #expect(throws: Never.self) {
                        _ = try self.session?.receiver.open(ciphertext: source, into: output)
                    }
                }
            }
            self.received += plaintext
        }
        self.tellWaiting()
    }

    /// Sends bytes in one sealed frame.
    func say(_ plaintext: [UInt8]) { self.pipe.writeAndFlush(self.seal(plaintext)) }

    func seal(_ plaintext: [UInt8]) -> ByteBuffer {
        var sealed = [UInt8](repeating: 0, count: plaintext.count + NoiseCipher.tagLength)
        plaintext.withUnsafeBytes { source in
            sealed.withUnsafeMutableBytes { output in
                #expect(throws: Never.self) { try self.session?.sender.seal(plaintext: source, into: output) }
            }
        }
        var frame = ByteBuffer()
        frame.writeInteger(UInt16(sealed.count))
        frame.writeBytes(sealed)
        return frame
    }

    /// Sends bytes past the cipher.
    func sayUnsealed(_ bytes: ByteBuffer) { self.pipe.writeAndFlush(bytes) }

    /// Ends the connection below whatever was said last.
    func hangUp() { self.pipe.close() }

    func frame(_ kind: YamuxHeader.Kind, _ flags: YamuxHeader.Flags = [], _ id: UInt32, _ length: UInt32 = 0) -> [UInt8]
    {
        YamuxHeader(kind: kind, flags: flags, streamID: id, length: length).encoded
    }
}

/// One engine of ours against a `HostilePeer`.
struct Siege: Sendable {
    let loop: any EventLoop
    let connection: MuxedConnection
    let inbound: AsyncStream<MuxedStream>
    nonisolated(unsafe) private let peer: HostilePeer

    init(
        by identity: PrivateKey = .generate(), _ configure: (inout ConnectionConfiguration) -> Void = { _ in }
    ) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let (configuration, inbound, _) = try ConnectionPair.configuration(configure)
        let promise = loop.makePromise(of: MuxedConnection.self)
        let address = ConnectionPair.address(nil)
        nonisolated(unsafe) let peer: HostilePeer
        (peer) = try await loop.submit {
            let link = MemoryPipe.Link(pieceBytes: .max, breaksAfter: .max)
            let near = MemoryPipe(loop, link)
            let far = MemoryPipe(loop, link)
            let hostile = HostilePeer(pipe: far, identity: identity)
            let (receiver, connection) = MuxedConnection.upgrade(
                near, role: .responder, localAddress: address, remoteAddress: address, configuration: configuration,
                keys: ConnectionPair.keys())
            near.receiver = receiver
            far.receiver = hostile
            near.other = far
            far.other = near
            connection.cascade(to: promise)
            receiver.pipeOpened()
            hostile.pipeOpened()
            return Unchecked(hostile)
        }.get().value
        self.loop = loop
        self.peer = peer
        self.inbound = inbound
        self.connection = try await promise.futureResult.get()
    }

    private struct Unchecked: @unchecked Sendable {
        let value: HostilePeer
        init(_ value: HostilePeer) { self.value = value }
    }

    /// Lets the peer act.
    func attack<R: Sendable>(_ body: @escaping @Sendable (HostilePeer) throws -> R) async throws -> R {
        try await self.loop.submit { try body(self.peer) }.get()
    }

    /// Waits until the peer has received a frame for which `test` holds; throws when it no longer can, or does not.
    func heard(_ test: @escaping @Sendable (YamuxHeader) -> Bool) async throws {
        let promise = self.loop.makePromise(of: Void.self)
        let limit = self.loop.scheduleTask(in: .seconds(55)) { promise.fail(HostilePeer.NeverSaid()) }
        defer { limit.cancel() }
        try await self.attack { $0.hear(test, promise) }
        try await promise.futureResult.get()
    }
}
