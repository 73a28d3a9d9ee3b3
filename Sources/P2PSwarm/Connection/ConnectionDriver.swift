import Multiformats
import NIOCore
import P2PCore

/// Takes a pipe from its opening to the end of its connection: first the upgrade, then the multiplexed session.
///
/// Between the two no byte is lost: what the upgrade received too much goes to the session before anything else.
/// Confined to the pipe's event loop.
final class ConnectionDriver {
    private enum Phase {
        case idle
        case upgrading(ConnectionUpgrade)
        case connected(MuxedConnection)
        case over
    }

    private let role: ConnectionRole
    private let localAddress: Multiaddr
    private let remoteAddress: Multiaddr
    private let configuration: ConnectionConfiguration
    private let keys: NoiseKeys
    private let promise: EventLoopPromise<MuxedConnection>
    private var phase = Phase.idle
    private var pipe: (any BytePipe)?
    private var timeout: Scheduled<Void>?

    init(
        pipe: any BytePipe, role: ConnectionRole, localAddress: Multiaddr, remoteAddress: Multiaddr,
        configuration: ConnectionConfiguration, keys: NoiseKeys, promise: EventLoopPromise<MuxedConnection>
    ) {
        self.pipe = pipe
        self.role = role
        self.localAddress = localAddress
        self.remoteAddress = remoteAddress
        self.configuration = configuration
        self.keys = keys
        self.promise = promise
    }

    func opened() {
        guard case .idle = self.phase, let pipe = self.pipe else { return }
        var upgrade = ConnectionUpgrade(role: self.role, configuration: self.configuration.upgrade, keys: self.keys)
        let actions = upgrade.start()
        self.phase = .upgrading(upgrade)
        self.timeout = pipe.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.configuration.upgradeTimeout)) {
            self.fail(.upgradeTimedOut(after: self.configuration.upgradeTimeout))
        }
        self.execute(actions)
    }

    /// Frames of the multiplexed session so far.
    var framesReceived: UInt64 {
        if case .connected(let connection) = self.phase { connection.statistics.framesReceived } else { 0 }
    }

    func received(_ bytes: ByteBuffer) {
        switch self.phase {
        case .connected(let connection): connection.pipeReceived(bytes)
        case .upgrading(var upgrade):
            let actions = upgrade.received(ArraySlice(bytes.readableBytesView))
            self.phase = .upgrading(upgrade)
            self.execute(actions)
        case .idle, .over: break
        }
    }

    func receiveCompleted() {
        if case .connected(let connection) = self.phase { connection.pipeReceiveCompleted() }
    }

    func writabilityChanged() {
        if case .connected(let connection) = self.phase { connection.pipeWritabilityChanged() }
    }

    func inputClosed() {
        switch self.phase {
        case .connected(let connection): connection.pipeInputClosed()
        case .idle, .upgrading: self.fail(.closedDuringUpgrade(nil))
        case .over: break
        }
    }

    func closed(_ error: (any Error)?) {
        switch self.phase {
        case .connected(let connection): connection.pipeClosed(error)
        case .idle, .upgrading:
            // The TLS layer ends the channel itself and says why in our words, when it was our refusal.
            let refusal = (error as? UpgradeError).map(ConnectionError.upgrade)
            self.fail(refusal ?? .closedDuringUpgrade(error.map { String(describing: $0) }))
        case .over: break
        }
        self.phase = .over
        self.pipe = nil
    }

    private func execute(_ actions: [ConnectionUpgrade.Action]) {
        guard let pipe = self.pipe else { return }
        var output = ByteBuffer()
        func send() {
            guard output.readableBytes > 0 else { return }
            pipe.writeAndFlush(output)
            output = ByteBuffer()
        }
        for action in actions {
            switch action {
            case .send(let bytes):
                output.writeBytes(bytes)
            case .startTLS(let leftover):
                send()
                self.startTLS(presumption: nil, leftover: leftover, on: pipe)
            case .presumeTLS(let presumption):
                self.startTLS(presumption: presumption, leftover: [], on: pipe)
            case .finished(let result):
                send()
                self.connect(result, on: pipe)
            case .failed(let error):
                send()
                self.fail(.upgrade(error))
            }
        }
        send()
    }

    private func startTLS(presumption: TLSPresumption?, leftover: [UInt8], on pipe: any BytePipe) {
        guard let provider = self.configuration.tls else {
            return self.fail(.tlsUnavailable("no TLS provider is configured"))
        }
        do {
            try pipe.startTLS(
                provider, role: self.role, expectedPeer: self.configuration.upgrade.expectedPeer,
                muxers: self.configuration.upgrade.muxers, presumption: presumption,
                leftover: ByteBuffer(bytes: leftover)
            ) { outcome in
                guard case .upgrading(var upgrade) = self.phase else { return }
                let actions = upgrade.tlsEstablished(
                    peerKey: outcome.peerKey, applicationProtocol: outcome.applicationProtocol)
                self.phase = .upgrading(upgrade)
                self.execute(actions)
            }
        } catch {
            self.fail(.tlsUnavailable(String(describing: error)))
        }
    }

    private func connect(_ result: ConnectionUpgrade.Result, on pipe: any BytePipe) {
        self.timeout?.cancel()
        self.timeout = nil
        let connection = MuxedConnection(
            pipe: pipe, result: result, role: self.role, localAddress: self.localAddress,
            remoteAddress: self.remoteAddress, configuration: self.configuration)
        self.phase = .connected(connection)
        // Whoever waits learns of the connection before its first stream.
        self.promise.succeed(connection)
        connection.start(plaintext: result.plaintextLeftover, sealed: result.leftover)
    }

    private func fail(_ error: ConnectionError) {
        switch self.phase {
        case .idle, .upgrading: break
        case .connected, .over: return
        }
        self.phase = .over
        self.timeout?.cancel()
        self.timeout = nil
        self.promise.fail(error)
        self.pipe?.close()
        self.pipe = nil
    }
}
