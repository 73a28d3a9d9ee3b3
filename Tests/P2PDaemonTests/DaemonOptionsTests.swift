import Multiformats
import Testing

@testable import P2PDaemon

@Suite struct DaemonOptionsTests {
    @Test func defaults() throws {
        let options = try DaemonOptions(arguments: [])
        #expect(options.control == .unix(path: "/tmp/p2pd.sock"))
        #expect(options.offersNoise && options.offersTLS && !options.hasPubSub && options.connectionMarks == nil)
        #expect(options.hostAddresses.map(\.description) == ["/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"])
        #expect(options.notices.isEmpty && options.keyFile == nil)
    }

    @Test func everyStyleOfFlag() throws {
        let options = try DaemonOptions(arguments: [
            "-listen", "/unix/run/c.sock", "--id=key", "-hostAddrs=/ip4/127.0.0.1/tcp/1,/ip4/127.0.0.1/udp/1/quic-v1",
            "--announceAddrs", "/ip4/192.0.2.1/tcp/1", "-tls=false", "-pubsub", "-pubsubRouter", "gossipsub",
            "-muxer=yamux",
            "-connManager", "-connLo", "1", "-connHi=2", "-connGrace", "1m30s", "-q=true", "-idleTimeout", "0",
            "-relayDiscovery=false", "-autonat=0",
        ])
        #expect(options.control == .unix(path: "/run/c.sock"))
        #expect(options.keyFile == "key")
        #expect(options.hostAddresses.map(\.description) == ["/ip4/127.0.0.1/tcp/1"])
        #expect(options.announcedAddresses.map(\.description) == ["/ip4/192.0.2.1/tcp/1"])
        #expect(options.offersNoise && !options.offersTLS && options.hasPubSub && options.isQuiet)
        #expect(options.connectionMarks == .init(low: 1, high: 2, grace: .seconds(90)))
        #expect(options.notices.count == 1 && options.notices[0].contains("quic-v1"))
    }

    /// A flag either does nothing, for a reason, or has a meaning; the help tells both, and its examples can be copied.
    @Test func helpTellsOfEveryFlag() throws {
        for flag in DaemonFlag.allCases {
            #expect((flag.meaning == nil) == (flag.reasonWithoutEffect != nil), "\(flag)")
            #expect(Daemon.usage.contains("-\(flag.rawValue)"), "\(flag)")
            for line in (flag.meaning ?? "").split(separator: "\n") where flag != .h {
                #expect(Daemon.usage.contains("      \(line)\n"), "\(flag)")
            }
        }
        for standard in ["(/unix/tmp/p2pd.sock)", "(/ip4/0.0.0.0/tcp/0,/ip6/::/tcp/0)", "(256)", "(512)", "(120s)"] {
            #expect(Daemon.usage.contains(standard), "\(standard)")
        }
        for example in Daemon.examples {
            #expect(Daemon.usage.contains(example))
            let words = example.split(separator: " ").map(String.init)
            #expect(words.first == "goop2-p2pd")
            #expect(try DaemonOptions(arguments: Array(words.dropFirst())).notices.isEmpty, "\(example)")
        }
    }

    @Test func whatWeDoNotHaveIsSaid() throws {
        let options = try DaemonOptions(arguments: [
            "-dhtClient", "-bootstrapPeers", "/ip4/1.2.3.4/tcp/1", "-autoRelay",
        ])
        #expect(options.notices.count == 3)
        #expect(options.notices.allSatisfy { $0.contains("no effect") })
    }

    @Test(arguments: [
        (["-lisen", "x"], DaemonOptionError.unknownFlag("lisen", nearest: "listen")),
        (["-hostaddr=x"], .unknownFlag("hostaddr", nearest: "hostAddrs")),
        (["-zzzzzzzz"], .unknownFlag("zzzzzzzz", nearest: nil)), (["-listen"], .missingValue(.listen)),
        (["listen"], .unexpectedArgument("listen")), (["-"], .unexpectedArgument("-")),
        (["-tls=maybe"], .invalidValue(.tls, value: "maybe", expected: "true or false")),
        (["-muxer", "mplex"], .invalidValue(.muxer, value: "mplex", expected: "yamux")),
        (["-pubsubRouter=floodsub"], .invalidValue(.pubsubRouter, value: "floodsub", expected: "gossipsub")),
        (["-noise=false", "-tls=false"], .noSecurity),
        (["-hostAddrs", "/ip4/1.2.3.4/udp/1/quic-v1"], .noUsableAddress),
        (
            ["-listen", "/dns/a"],
            .invalidValue(.listen, value: "/dns/a", expected: "/unix/PATH, or /ip4/ADDRESS/tcp/PORT")
        ),
        (["-connGrace", "5x"], .invalidValue(.connGrace, value: "5x", expected: "a duration such as 20s or 1m30s")),
        (
            ["-connGrace", "9999999999h"],
            .invalidValue(.connGrace, value: "9999999999h", expected: "a duration such as 20s or 1m30s")
        ),
        (["-connHi", "-1"], .invalidValue(.connHi, value: "-1", expected: "a number of connections")),
        (["-connLo", "9", "-connHi", "8"], .invalidValue(.connLo, value: "9", expected: "at most -connHi, 8")),
    ]) func refusal(arguments: [String], error: DaemonOptionError) {
        #expect(throws: error) { try DaemonOptions(arguments: arguments) }
        #expect(!error.description.isEmpty)
    }
}
