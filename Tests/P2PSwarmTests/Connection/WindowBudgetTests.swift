import P2PCore
import P2PSwarm
import Synchronization
import Testing

@Suite struct WindowBudgetTests {
    @Test(
        "a window grows only into what the budget of all connections has left, and gives it back",
        arguments: [0, 8 << 20])
    func growth(budgetBytes: Int) throws {
        let budget = ByteBudget(maximumBytes: budgetBytes)
        let opened = Mutex<[MuxedStream]>([])
        let siege = try VirtualSiege {
            $0.windowBudget = budget
            $0.onInboundStream = { stream in opened.withLock { $0.append(stream) } }
        }
        // A round trip of ten milliseconds: a window that is used up within four of them may double.
        let question = try #require(siege.peer.headers.first { $0.kind == .ping })
        siege.loop.advanceTime(by: .milliseconds(10))
        siege.peer.say(siege.peer.frame(.ping, .ack, 0, question.length))
        for piece in 0..<4 {
            siege.peer.say(
                siege.peer.frame(.data, piece == 0 ? .syn : [], 1, 60_000) + [UInt8](repeating: 1, count: 60_000))
        }
        siege.loop.run()
        let stream = try #require(opened.withLock { $0.first })
        while case .bytes = try stream.readNow() {}
        stream.flushNow()
        siege.loop.run()
        let granted = siege.peer.headers.filter { $0.kind == .windowUpdate && $0.streamID == 1 }.map(\.length)
        let window = YamuxConfiguration.initialWindow
        #expect(granted.reduce(0, +) == (budgetBytes == 0 ? 180_000 : 180_000 + window))
        #expect(budget.hasRoom(for: budgetBytes / 8) == (budgetBytes == 0), "an eighth of what is left is less")
        stream.reset()
        siege.loop.run()
        // An eighth of a budget of which nothing is taken.
        #expect(budget.hasRoom(for: budgetBytes / 8))
    }
}
