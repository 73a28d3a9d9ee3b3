import GoopTestKit
import Testing

@testable import GoopCore

/// What waits for a reader that is behind: two limits, an order, and nothing that is dropped in silence.
@Suite(.timeLimit(.minutes(1))) struct BoundedQueueTests {
    private struct Stop: Error, Equatable {}

    @Test func soManyWait() async throws {
        let (elements, queue) = BoundedQueue<Int>.make(limit: 3, costLimit: 100)
        for number in 0..<3 { #expect(queue.put(number, cost: 0)) }
        #expect(!queue.put(3, cost: 0), "of those that cost nothing, too")
        var iterator = elements.makeAsyncIterator()
        #expect(try await iterator.next() == 0)
        #expect(queue.put(4, cost: 0) && !queue.put(5, cost: 0))
        queue.finish()
        var left: [Int] = []
        while let number = try await iterator.next() { left.append(number) }
        #expect(left == [1, 2, 4])
    }

    @Test func soManyBytesWait() async throws {
        let (elements, queue) = BoundedQueue<Int>.make(limit: 100, costLimit: 10)
        #expect(queue.put(0, cost: 6) && !queue.put(1, cost: 5))
        #expect(queue.put(2, cost: 4) && !queue.put(3, cost: 1), "what was refused does not count")
        var iterator = elements.makeAsyncIterator()
        #expect(try await iterator.next() == 0)
        #expect(!queue.put(4, cost: 1), "what the reader has in hand counts")
        #expect(try await iterator.next() == 2)
        #expect(queue.put(5, cost: 6) && !queue.put(6, cost: 1))
        queue.finish(throwing: Stop())
        #expect(try await iterator.next() == 5)
        await #expect(throws: Stop.self) { _ = try await iterator.next() }
    }

    @Test func aSingleOneMayHaveMore() async throws {
        let (elements, queue) = BoundedQueue<Int?>.make(limit: 100, costLimit: 10)
        #expect(queue.put(7, cost: 1000))
        #expect(!queue.put(nil, cost: 1) && !queue.put(8, cost: 1000))
        var iterator = elements.makeAsyncIterator()
        #expect(try await iterator.next() == .some(7))
        #expect(!queue.put(nil, cost: 1))
        queue.finish()
        #expect(try await iterator.next() == nil)
        #expect(!queue.put(9, cost: 0), "nobody reads it")
    }

    @Test func whoeverLetsItGoEndsIt() async {
        let (ends, end) = AsyncStream.makeStream(of: String.self)
        func queue(_ name: String) -> (elements: AsyncThrowingStream<Int, any Error>, queue: BoundedQueue<Int>) {
            let made = BoundedQueue<Int>.make(limit: 3, costLimit: 100)
            made.queue.onEnd { end.yield(name) }
            return made
        }
        var seen = ends.makeAsyncIterator()
        let unread = queue("unread").queue
        #expect(await seen.next() == "unread")
        #expect(!unread.put(1, cost: 0))
        // One that was read from, and let go.
        func readOne() async throws {
            let (elements, queue) = queue("left")
            #expect(queue.put(1, cost: 1))
            for try await _ in elements { break }
        }
        try? await readOne()
        #expect(await seen.next() == "left")
        // One whose reader is cancelled while it waits.
        let (elements, waited) = queue("cancelled")
        let reader = Task { for try await _ in elements {} }
        reader.cancel()
        #expect(await seen.next() == "cancelled")
        _ = await reader.result
        #expect(!waited.put(1, cost: 0))
    }

    /// Whatever the order of puts and takes, the bytes that wait and are in hand are within the limit, the numbers too, and
    /// what was taken in comes out in its order.
    @Test(arguments: 0..<20 as Range<UInt64>) func neitherLimitIsEverPassed(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let (elements, queue) = BoundedQueue<Int>.make(limit: 5, costLimit: 50)
        var iterator = elements.makeAsyncIterator()
        var waiting: [(number: Int, cost: Int)] = []
        var inHand = 0
        for number in 0..<2000 {
            if Bool.random(using: &random) {
                let cost = Int.random(in: 0...20, using: &random)
                let all = waiting.reduce(inHand) { $0 + $1.cost }
                let hasRoom = waiting.count < 5 && (all == 0 || all + cost <= 50)
                #expect(queue.put(number, cost: cost) == hasRoom, "seed \(seed), step \(number)")
                if hasRoom { waiting.append((number, cost)) }
            } else if !waiting.isEmpty {
                let next = waiting.removeFirst()
                #expect(try await iterator.next() == next.number, "seed \(seed), step \(number)")
                inHand = next.cost
            }
        }
    }
}
