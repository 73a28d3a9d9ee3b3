import Testing

@testable import GoopCore

@Suite struct MailboxTests {
    /// However many signs of life fall due while the reader is busy, what happened still waits for it.
    @Test func signsOfLifePushNothingOut() async {
        let mailbox = Mailbox([Int]())
        mailbox.put { $0.append(1) }
        for _ in 0..<1_000 { mailbox.beat() }
        mailbox.put { $0.append(2) }
        for _ in 0..<1_000 { mailbox.beat() }
        mailbox.close()
        var taken: [[Int]] = []
        for await _ in mailbox.wakeUps { taken.append(mailbox.take()) }
        #expect(taken == [[1, 2]], "one wake-up waits, and it brings all")
    }

    @Test func aSignOfLifeIsAWakeUpWithNothingWaiting() async {
        let mailbox = Mailbox(0)
        mailbox.beat()
        mailbox.close()
        var taken: [Int] = []
        for await _ in mailbox.wakeUps { taken.append(mailbox.take()) }
        #expect(taken == [0])
    }

    /// Whoever puts, and whenever the reader takes: each thing is taken once, and the last is not left lying.
    @Test func nothingIsTakenTwiceNorLeftBehind() async {
        let mailbox = Mailbox([Int]())
        let reader = Task {
            var seen: [Int] = []
            for await _ in mailbox.wakeUps { seen += mailbox.take() }
            return seen
        }
        await withTaskGroup { group in
            for writer in 0..<4 {
                group.addTask {
                    for number in 0..<1_000 { mailbox.put { $0.append(writer * 1_000 + number) } }
                }
            }
        }
        mailbox.close()
        #expect(await reader.value.sorted() == Array(0..<4_000))
    }
}
