import Multiformats
import P2PCore

/// Both sides of ping: whole blocks come back in their order, however they were cut, and only too many of them end it.
func fuzzPing(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    probe(&input)
    let most = 1 + Int(input.byte() & 15)
    var now = MonotonicInstant.zero
    var responder = PingResponder(maximumPerSecond: most, now: now)
    var received: [UInt8] = []
    var echoed: [UInt8] = []
    var times: [MonotonicInstant] = []
    while !input.isAtEnd {
        now = now.advanced(by: .milliseconds(4 * Int(input.byte())))
        let piece = input.piece()
        let before = received.count / Ping.size
        received += piece
        let whole = received.count / Ping.size
        times += Array(repeating: now, count: whole - before)
        let lately = times.count { $0.advanced(by: .seconds(1)) > now }
        switch responder.received(piece, now: now) {
        case nil: require(whole == before, "a whole block is answered at once")
        case .echo(let blocks):
            echoed += blocks
            require(lately <= 2 * most, "no second has more than two windows' pings")
        case .reset:
            require(lately > most, "only too many pings end a stream")
            return
        }
        require(echoed.elementsEqual(received.prefix(whole * Ping.size)), "what came comes back, and nothing else")
    }
}

/// The answer to our own ping; a byte of 0 is the right one.
private func probe(_ input: inout FuzzInput) {
    var generator = FixedGenerator()
    var probe = PingProbe(using: &generator)
    var left = probe.payload[...]
    for _ in 0..<(input.byte() & 3) {
        let differences = input.piece()
        let answer = differences.enumerated().map { ($0 < left.count ? left[left.startIndex + $0] : 0) ^ $1 }
        let isRight = answer.count <= left.count && differences.allSatisfy { $0 == 0 }
        left = left.dropFirst(answer.count)
        require(probe.answered(answer) == (isRight ? left.isEmpty : nil), "exactly what was sent is an answer")
        guard isRight else { return }
    }
}

/// What a peer answers to a proposal of TLS that its first record stands right behind.
func fuzzTLSPresumption(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (whole, pieces) = input.message()
    func answer(_ pieces: [ArraySlice<UInt8>]) -> Result<[UInt8]?, UpgradeError> {
        Result { () throws(UpgradeError) in
            var presumption = TLSPresumption()
            var forTLS: [UInt8]?
            for piece in pieces {
                // From its answer on the presumption is done with, and TLS is fed.
                if forTLS != nil { forTLS? += piece } else { forTLS = try presumption.received(piece) }
            }
            return forTLS
        }
    }
    let outcome = answer([whole[...]])
    require(answer(pieces) == outcome, "an answer in pieces says the same")
    let agreement = TLSPresumption().proposal
    switch outcome {
    case .success(let forTLS?): require(agreement + forTLS == whole, "behind the agreement all is for TLS")
    case .success(nil):
        require(!whole.starts(with: agreement), "an agreement is one")
        require(whole.count < agreement.count + 1026, "what is held is bounded")
    case .failure: require(!whole.starts(with: agreement), "an agreement is no fault")
    }
}

/// The frames of a pubsub stream.
func fuzzGossipFrame(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let limit = 4 * Int(input.byte())
    let (whole, pieces) = input.message()
    func cut(_ pieces: [ArraySlice<UInt8>]) -> (frames: [[UInt8]], error: GossipFrameError?) {
        var reader = GossipFrameReader(maximumFrameBytes: limit)
        var frames: [[UInt8]] = []
        var came = 0
        do throws(GossipFrameError) {
            for piece in pieces {
                reader.append(piece)
                came += piece.count
                while let frame = try reader.next() { frames.append(Array(frame)) }
                let taken = frames.reduce(0) { $0 + $1.count }
                require(reader.heldBytes <= 2 * (came - taken) + 64, "twice what waits is held, at most")
                require(
                    reader.heldBytes <= limit + Varint.maximumLength + piece.count + 64, "no more than a frame is held")
            }
        } catch {
            return (frames, error)
        }
        return (frames, nil)
    }
    let outcome = cut([whole[...]])
    let again = cut(pieces)
    require(again.frames == outcome.frames && again.error == outcome.error, "pieces make the same frames")
    var left = whole[...]
    for frame in outcome.frames {
        // Empty frames are skipped.
        left = left.drop { $0 == 0 }
        let framed = Varint.encode(UInt64(frame.count)) + frame
        require(!frame.isEmpty && frame.count <= limit, "frames are bounded")
        require(left.starts(with: framed), "the frames make up the stream")
        left = left.dropFirst(framed.count)
    }
}
