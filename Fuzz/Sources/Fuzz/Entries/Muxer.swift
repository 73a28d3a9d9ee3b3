import P2PCore

func fuzzYamux(_ bytes: [UInt8]) {
    if let header = try? YamuxHeader(Array(bytes.prefix(YamuxHeader.length))), bytes.count >= YamuxHeader.length {
        require((try? YamuxHeader(header.encoded)) == header, "a header reads back")
    }
    var input = FuzzInput(bytes)
    var now = MonotonicInstant.zero
    var events: [YamuxMachine.Event] = []
    var machine = YamuxMachine(role: input.bool() ? .initiator : .responder, now: now)
    machine.start(now: now, into: &events)
    while !input.isAtEnd {
        let operation = input.byte()
        let id = UInt32(operation >> 4)
        do throws(YamuxError) {
            switch operation & 0x0f {
            case 0..<7:
                let header: YamuxHeader
                if operation & 1 == 0 {
                    header = try YamuxHeader(Array(input.take(YamuxHeader.length)))
                } else {
                    // Frames that mean something are rare among random bytes.
                    header = YamuxHeader(
                        kind: YamuxHeader.Kind(rawValue: input.byte() & 3) ?? .data,
                        flags: .init(rawValue: UInt16(input.byte() & 15)), streamID: UInt32(input.byte() & 15),
                        length: UInt32(input.uint16()) << (input.byte() & 7))
                }
                try machine.received(header, now: now, into: &events)
                if case .payload? = events.last(where: { if case .payload = $0 { true } else { false } }) {
                    machine.payloadCompleted(into: &events)
                }
            case 7: _ = machine.openStream(now: now)
            case 8: machine.accept(id, now: now)
            case 9: _ = machine.claim(id, count: Int(input.uint16()))
            case 10: machine.finish(id, into: &events)
            case 11: machine.reset(id, code: UInt32(input.byte()), into: &events)
            case 12: machine.consumed(id, count: Int(input.uint32() & 0xff_ffff), now: now, into: &events)
            case 13: machine.closeRead(id, now: now)
            case 14:
                now = now.advanced(by: .milliseconds(Int(input.uint16())))
                try machine.timerFired(now: now, into: &events)
            default:
                if input.byte() == 0 { machine.goAway(code: 0, into: &events) }
                machine.ping(now: now, into: &events)
                machine.writabilityChanged(input.bool(), now: now)
            }
        } catch {
            return
        }
        events.removeAll(keepingCapacity: true)
        if let fault = machine.inconsistency() { require(false, fault) }
    }
}
