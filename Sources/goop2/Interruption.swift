import GoopCore
import UnixSignals

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A command that is told to end before it is done: what it has half written goes.
enum Interruption {
    /// Listens until the program ends. Signals that are ignored from the start (`nohup`) stay so.
    static func listen() async {
        Unfinished.watch()
        let signals = await UnixSignalsSequence(
            trapping: [UnixSignal.sigint, .sigterm, .sighup].filter { !isIgnored($0.rawValue) })
        Task.detached {
            for await signal in signals {
                // What a shell shows for a program that the signal has ended.
                Unfinished.removeAll { _exit(128 + signal.rawValue) }
            }
        }
    }

    /// Whether a signal does nothing: whoever started the program wants it to go on.
    static func isIgnored(_ number: CInt) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
            == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}
