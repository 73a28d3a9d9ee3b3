import NIOCore
import P2PCore
import Synchronization

/// From the pipe to the streams.
extension MuxedConnection {
    /// Begins, with what the upgrade received beyond its own bytes.
    func start(plaintext: [UInt8], sealed: [UInt8]) {
        self.machine.start(now: self.tick(), into: &self.events)
        self.handleEvents()
        self.armTimer()
        if !plaintext.isEmpty {
            self.isReceiving = true
            var bytes = ByteBuffer(bytes: plaintext)
            self.parse(&bytes)
            self.received()
        }
        if !sealed.isEmpty { self.pipeReceived(ByteBuffer(bytes: sealed)) }
        self.flush()
    }

    func pipeReceived(_ bytes: ByteBuffer) {
        if case .closed = self.life { return }
        self.machine.bytesReceived(now: self.tick())
        if self.isInDoubt { self.isProbed.store(false, ordering: .relaxed) }
        self.statistics.bytesReceived += UInt64(bytes.readableBytes)
        self.isReceiving = true
        var bytes = bytes
        if self.opener == nil {
            self.parse(&bytes)
        } else {
            self.open(&bytes)
        }
        self.received()
    }

    /// All that was read has been taken apart.
    private func received() {
        self.tellObservers()
        self.settleSlices()
        self.isReceiving = false
    }

    func pipeReceiveCompleted() { self.flush() }

    func pipeInputClosed() {
        switch self.life {
        case .halfClosed(let reason): self.end(reason)
        case .draining(let code): self.end(self.closeReason(code: code))
        case .open: self.end(self.machine.receivedGoAway.map { .remote(code: $0) } ?? .closedByPeer)
        case .closed: break
        }
    }

    func pipeClosed(_ error: (any Error)?) {
        // Peers that close with a TCP reset mean nothing by it, so the error says less than what was known before.
        if case .open = self.life, self.machine.receivedGoAway == nil, let error {
            self.end(.pipe(String(describing: error)))
        } else {
            self.pipeInputClosed()
        }
        self.pipe = nil
    }

    // MARK: Observers

    /// Something came for a stream with an observer or a gate, which hears of it once all that was read has been taken apart.
    func note(_ state: StreamState) {
        guard self.isReceiving else {
            state.hasReceived()
            return
        }
        guard !state.isNoted else { return }
        state.isNoted = true
        self.noted.append(state)
    }

    private func tellObservers() {
        guard !self.noted.isEmpty else { return }
        // An observer that is told may cause others to be noted: they follow.
        var index = 0
        while index < self.noted.count {
            let state = self.noted[index]
            state.isNoted = false
            state.hasReceived()
            index += 1
        }
        self.noted.removeAll(keepingCapacity: true)
    }

    // MARK: Slices

    /// The stream keeps a slice of the buffer that is being taken apart.
    func keepsSlices(_ state: StreamState) { self.keepers.append(state) }

    private func settleSlices() {
        guard !self.keepers.isEmpty else { return }
        for state in self.keepers { state.settleSlices() }
        self.keepers.removeAll(keepingCapacity: true)
    }

    // MARK: Noise frames

    /// Opens every whole frame of `bytes`, one behind the other into one buffer, and keeps the rest for the next time.
    private func open(_ bytes: inout ByteBuffer) {
        let buffers = LoopBuffers.onThisThread()
        var plaintext = buffers.takePlaintext(
            capacity: bytes.readableBytes + (self.incompleteFrame?.readableBytes ?? 0))
        do throws(NoiseError) {
            if var frame = self.incompleteFrame {
                self.incompleteFrame = nil
                if Self.complete(&frame, from: &bytes) {
                    try self.openFrame(&frame, into: &plaintext)
                    buffers.returnFrame(frame)
                } else {
                    self.incompleteFrame = frame
                }
            }
            while self.incompleteFrame == nil, let size = Self.frameSize(bytes), bytes.readableBytes >= size {
                try self.openFrame(&bytes, into: &plaintext)
            }
            if bytes.readableBytes > 0 {
                var frame = buffers.takeFrame()
                if let size = Self.frameSize(bytes) { frame.reserveCapacity(size) }
                frame.writeBuffer(&bytes)
                self.incompleteFrame = frame
            }
        } catch {
            self.fail(.noise(error), code: YamuxCode.protocolError)
        }
        self.parse(&plaintext)
        buffers.returnPlaintext(plaintext)
    }

    /// The whole size of the frame at the front, length included, once its length has arrived.
    private static func frameSize(_ bytes: ByteBuffer) -> Int? {
        bytes.getInteger(at: bytes.readerIndex, as: UInt16.self).map { 2 + Int($0) }
    }

    /// Moves bytes behind an incomplete frame; true once it is complete.
    private static func complete(_ frame: inout ByteBuffer, from bytes: inout ByteBuffer) -> Bool {
        if frame.readableBytes < 2,
            var length = bytes.readSlice(length: min(2 - frame.readableBytes, bytes.readableBytes))
        {
            frame.writeBuffer(&length)
        }
        guard let size = Self.frameSize(frame) else { return false }
        if var rest = bytes.readSlice(length: min(size - frame.readableBytes, bytes.readableBytes)) {
            frame.reserveCapacity(size)
            frame.writeBuffer(&rest)
        }
        return frame.readableBytes == size
    }

    /// Opens the whole frame at the front of `bytes` to the end of `plaintext`.
    private func openFrame(_ bytes: inout ByteBuffer, into plaintext: inout ByteBuffer) throws(NoiseError) {
        guard let length = bytes.readInteger(as: UInt16.self).map(Int.init) else { return }
        let outcome = bytes.withUnsafeReadableBytes { source in
            let message = UnsafeRawBufferPointer(rebasing: source.prefix(length))
            var failure: NoiseError?
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: max(0, length - NoiseCipher.tagLength)) {
                output in
                do throws(NoiseError) {
                    return try self.opener?.open(ciphertext: message, into: output) ?? 0
                } catch {
                    failure = error
                    return 0
                }
            }
            return failure
        }
        bytes.moveReaderIndex(forwardBy: length)
        if let failure = outcome { throw failure }
    }

    // MARK: Yamux frames

    /// Takes all of `bytes`: headers to the machine, payloads to their streams.
    private func parse(_ bytes: inout ByteBuffer) {
        do throws(YamuxError) {
            while bytes.readableBytes > 0 {
                if case .closed = self.life { return }
                if self.payloadRemaining > 0 {
                    self.takePayload(&bytes)
                } else if let header = try self.takeHeader(&bytes) {
                    self.statistics.framesReceived += 1
                    self.frames?.received(header)
                    try self.machine.received(header, now: self.now, into: &self.events)
                    self.handleEvents()
                }
            }
        } catch {
            self.fail(.yamux(error), code: YamuxCode.protocolError)
        }
    }

    private func takePayload(_ bytes: inout ByteBuffer) {
        let count = min(self.payloadRemaining, bytes.readableBytes)
        self.payloadRemaining -= count
        self.statistics.payloadReceived += UInt64(count)
        if let frames = self.frames {
            bytes.withUnsafeReadableBytes { frames.received(UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
        }
        if let stream = self.payloadStream, let slice = bytes.getSlice(at: bytes.readerIndex, length: count) {
            stream.deliver(slice)
        }
        bytes.moveReaderIndex(forwardBy: count)
        if self.payloadRemaining == 0 {
            self.payloadStream = nil
            self.machine.payloadCompleted(into: &self.events)
            self.handleEvents()
        }
    }

    private func takeHeader(_ bytes: inout ByteBuffer) throws(YamuxError) -> YamuxHeader? {
        if self.incompleteHeader.isEmpty, bytes.readableBytes >= YamuxHeader.length {
            let parsed = bytes.withUnsafeReadableBytes { source in
                Result { () throws(YamuxError) in try YamuxHeader(source) }
            }
            bytes.moveReaderIndex(forwardBy: YamuxHeader.length)
            return try parsed.get()
        }
        let missing = min(YamuxHeader.length - self.incompleteHeader.count, bytes.readableBytes)
        self.incompleteHeader.append(contentsOf: bytes.readBytes(length: missing) ?? [])
        guard self.incompleteHeader.count == YamuxHeader.length else { return nil }
        defer { self.incompleteHeader.removeAll(keepingCapacity: true) }
        return try YamuxHeader(self.incompleteHeader)
    }

    // MARK: What the machine says

    /// Executes the gathered events. Calls from within are taken over by the outermost.
    func handleEvents() {
        guard !self.isHandlingEvents, !self.events.isEmpty else { return }
        self.isHandlingEvents = true
        var index = 0
        while index < self.events.count {
            self.handle(self.events[index])
            index += 1
        }
        self.events.removeAll(keepingCapacity: true)
        self.isHandlingEvents = false
        if let (reason, code) = self.failure {
            self.failure = nil
            self.fail(reason, code: code)
        }
    }

    private func handle(_ event: YamuxMachine.Event) {
        switch event {
        case .send(let header):
            self.queueControl(header)
        case .opened(let id):
            let state = StreamState(id: id, connection: self, isInbound: true)
            self.streams[id] = state
            self.statistics.inboundOpened += 1
            self.configuration.onInboundStream(MuxedStream(state))
        case .payload(let id, let count):
            self.payloadRemaining = Int(count)
            self.payloadStream = id.flatMap { self.streams[$0] }
        case .writable(let id):
            if let state = self.streams[id], state.pendingBytes > 0 {
                self.enqueue(state)
                self.scheduleFlush()
            }
        case .endOfStream(let id):
            self.streams[id]?.endOfStream()
        case .reset(let id, let code, let byPeer):
            if let state = self.streams[id] { self.remove(state, failing: .reset(code: code, byPeer: byPeer)) }
        case .closed(let id):
            self.streams.removeValue(forKey: id)?.closed()
            self.settleWindowBudget()
            self.closeIfDeserted()
        case .openingAllowed:
            self.serveOpeners()
        case .goAway(let code):
            self.refuseOpeners(.closed(.remote(code: code)))
            self.peerGoesAway()
        case .refused(let limit):
            self.configuration.onRefusal(limit)
        case .roundTrip:
            break
        }
    }
}
