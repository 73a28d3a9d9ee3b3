import NIOCore
import P2PCore

/// From the streams to the pipe.
extension MuxedConnection {
    /// The plaintext of one frame: as much as one Noise message holds, and over TLS, which cuts records of its own, a whole write
    /// of 64 KiB with its header.
    private var frameBytes: Int {
        self.sealer == nil ? 64 * 1024 + YamuxHeader.length : NoiseCipher.maximumPlaintext
    }
    /// What is left of a frame is not worth a piece of a longer run of data below this size.
    private static let smallestPiece = 1024

    func queueControl(_ header: YamuxHeader) {
        // They wait here only while the pipe is blocked.
        guard self.control.readableBytes < self.configuration.maximumControlBytes else {
            return self.fail(.controlFlood, code: YamuxCode.protocolError)
        }
        self.control.writeWithUnsafeMutableBytes(minimumWritableBytes: YamuxHeader.length) { output in
            header.encode(into: output)
            return YamuxHeader.length
        }
        self.frames?.sent(header)
        self.scheduleFlush()
    }

    /// Sends at the end of this turn, so that everything queued in it shares frames.
    func scheduleFlush() {
        guard !self.flushIsScheduled, !self.isReceiving, !self.isFlushing else { return }
        self.flushIsScheduled = true
        self.eventLoop.assumeIsolated().execute { self.flush() }
    }

    /// Sends now what was queued, or at the end of the read that is under way.
    func flushUnlessReceiving() {
        if !self.isReceiving { self.flush() }
    }

    /// Sends until nothing is left that may be sent, or the pipe is full.
    func flush(regardless: Bool = false) {
        self.flushIsScheduled = false
        guard !self.isFlushing, let pipe = self.pipe else { return }
        if case .closed = self.life { return }
        self.isFlushing = true
        let buffers = LoopBuffers.onThisThread()
        while (pipe.isWritable || regardless), self.control.readableBytes > 0 || !self.ready.isEmpty {
            var output = buffers.takeOutput(capacity: self.batchCapacity)
            while output.readableBytes < LoopBuffers.batchBytes, self.control.readableBytes > 0 || !self.ready.isEmpty {
                if let error = self.appendFrame(to: &output) {
                    self.isFlushing = false
                    return self.fail(.noise(error), code: YamuxCode.internalError)
                }
            }
            if output.readableBytes > 0 {
                self.statistics.bytesSent += UInt64(output.readableBytes)
                pipe.writeAndFlush(output)
            }
            buffers.returnOutput(output)
        }
        self.isFlushing = false
        self.settleReservation()
        self.armTimer()
        self.drainedIfIdle()
    }

    /// Room for what is queued, at most one batch and a frame that overlaps its end.
    private var batchCapacity: Int {
        let queued = self.control.readableBytes + self.statistics.pendingBytes + self.ready.count * YamuxHeader.length
        let frames = queued / self.frameBytes + 1
        return min(queued + frames * 64, LoopBuffers.batchBytes + self.frameBytes + 64)
    }

    /// Appends one frame: sealed over Noise, plain over TLS. It may come out empty when no stream has credit.
    private func appendFrame(to output: inout ByteBuffer) -> NoiseError? {
        guard self.sealer != nil else {
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: self.nextFrameBound) { room in
                self.fill(UnsafeMutableRawBufferPointer(rebasing: room.prefix(self.frameBytes)))
            }
            return nil
        }
        var failure: NoiseError?
        let overhead = 2 + NoiseCipher.tagLength
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: self.nextFrameBound + overhead) { room in
            let body = UnsafeMutableRawBufferPointer(rebasing: room[2...])
            let plaintextRoom = min(self.frameBytes, body.count - NoiseCipher.tagLength)
            let length = self.fill(UnsafeMutableRawBufferPointer(rebasing: body.prefix(plaintextRoom)))
            guard length > 0 else { return 0 }
            do throws(NoiseError) {
                try self.sealer?.seal(plaintext: UnsafeRawBufferPointer(rebasing: body.prefix(length)), into: body)
            } catch {
                failure = error
                return 0
            }
            let sealed = UInt16(length + NoiseCipher.tagLength)
            room.storeBytes(of: sealed.bigEndian, as: UInt16.self)
            return 2 + Int(sealed)
        }
        return failure
    }

    private var nextFrameBound: Int {
        let queued = self.control.readableBytes + self.statistics.pendingBytes + self.ready.count * YamuxHeader.length
        // A stream that finishes in this frame adds one more header.
        return min(self.frameBytes, queued + (self.ready.count + 1) * YamuxHeader.length)
    }

    /// How much of a stream's data a frame with so much room takes: all that fits; but half, if the other side would have to copy
    /// what is left because it is so little. 64 KiB are a header too long for a Noise frame.
    private static func piece(of pending: Int, room: Int) -> Int {
        min(room, pending > room && pending - room < StreamState.sliceBytes ? pending / 2 : pending)
    }

    /// Writes control frames and then one data frame of each stream in turn, as far as there is room.
    private func fill(_ room: UnsafeMutableRawBufferPointer) -> Int {
        var used = self.takeControl(into: room)
        while let stream = self.ready.popFirst() {
            let left = room.count - used - YamuxHeader.length
            if left < min(stream.pendingBytes, Self.smallestPiece) {
                self.ready.prepend(stream)
                break
            }
            stream.isQueued = false
            let piece = Self.piece(of: stream.pendingBytes, room: left)
            let isHalf = piece < min(stream.pendingBytes, left)
            guard let header = self.machine.claim(stream.id, count: piece) else { continue }
            header.encode(into: UnsafeMutableRawBufferPointer(rebasing: room[used...]))
            self.frames?.sent(header)
            used += YamuxHeader.length
            let length = Int(header.length)
            stream.takePending(length, into: UnsafeMutableRawBufferPointer(rebasing: room[used...]))
            self.frames?.sent(UnsafeRawBufferPointer(rebasing: room[used..<(used + length)]))
            used += length
            self.statistics.payloadSent += UInt64(length)
            self.statistics.pendingBytes -= length
            if stream.pendingBytes > 0 {
                self.enqueue(stream)
            } else if stream.finishRequested {
                self.machine.finish(stream.id, into: &self.events)
                self.handleEvents()
                stream.hasFinished()
                used += self.takeControl(into: UnsafeMutableRawBufferPointer(rebasing: room[used...]))
            }
            // The other half is for the next frame.
            if isHalf { break }
        }
        return used
    }

    // MARK: Held back

    /// Streams that may be held back at one time; what one more has leaves at once.
    static let maximumHeldBack = 256

    /// The stream has bytes that nobody waits for, and that are not worth a frame and a write of their own: they leave with its
    /// next ones, before its end, when its reader waits, or by themselves after the time that an acknowledgement waits.
    func holdBack(_ state: StreamState, added: Int) {
        self.touch(state)
        self.statistics.pendingBytes += added
        // Those that have left since, or are gone, make room.
        while let first = self.heldBack.first, self.streams[first.id]?.isHeldBack != true {
            self.heldBack.removeFirst()
        }
        guard case .open = self.life, self.heldBack.count < Self.maximumHeldBack else {
            self.enqueue(state)
            return self.scheduleFlush()
        }
        state.isHeldBack = true
        self.heldBack.append((state.id, self.tick().advanced(by: self.configuration.yamux.acknowledgementDelay)))
        self.armTimer()
    }

    /// Nothing follows that these bytes could go with.
    func sendHeldBack(_ state: StreamState) {
        guard state.isHeldBack else { return }
        self.enqueue(state)
        self.scheduleFlush()
    }

    /// Their time is up.
    func sendHeldBack(until now: MonotonicInstant) {
        while let first = self.heldBack.first, first.until <= now {
            self.heldBack.removeFirst()
            if let state = self.streams[first.id] { self.sendHeldBack(state) }
        }
    }

    private func takeControl(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(self.control.readableBytes, room.count)
        guard count > 0 else { return 0 }
        self.control.withUnsafeReadableBytes { source in
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: source.prefix(count)))
        }
        self.control.moveReaderIndex(forwardBy: count)
        if self.control.readableBytes == 0 { self.control.clear() }
        return count
    }

    func pipeWritabilityChanged() {
        guard let pipe = self.pipe else { return }
        if !pipe.isWritable { self.unsentBytes = pipe.unsentBytes }
        self.machine.writabilityChanged(pipe.isWritable, now: self.tick())
        self.armTimer()
        if pipe.isWritable, !self.isReceiving { self.flush() }
    }

    /// A pipe that is full and yet has sent something since the last look is slow, not dead.
    func noteSending() {
        guard let pipe = self.pipe, !pipe.isWritable else { return }
        let unsent = pipe.unsentBytes
        if unsent < self.unsentBytes { self.machine.bytesSent(now: self.now) }
        self.unsentBytes = unsent
    }
}
