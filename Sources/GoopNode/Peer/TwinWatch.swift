import LibP2P

/// What is heard of a second program that runs with this peer's key, such as a backup that was restored while the original runs.
///
/// It is heard of by multicast DNS, where nothing is signed: anybody on the network can say that they are us. So it is told
/// of as what was heard, after two hearings, to the terminal once in a run, to the log every ten minutes at most, and by the
/// pages for three minutes after the last hearing. Nothing else follows from it.
struct TwinWatch: Sendable {
    /// How long a hearing is good for. Whoever is there answers the question that we ask at least once a minute.
    static let lifetime = Duration.seconds(180)
    /// Least time between the first two hearings: what was on its way when a run ended is no second program.
    static let confirmation = Duration.seconds(2)
    /// Least time between two lines of the log.
    static let logInterval = Duration.seconds(600)
    /// Places that are named; more than that tell nobody more.
    static let mostPlaces = 3

    /// What is to be done about a hearing.
    enum Telling: Sendable, Hashable {
        case nothing
        /// A line in the log.
        case log(place: String)
        /// The same, and the owner is told: the first time.
        case owner(place: String)
    }

    private var firstHeard: Duration?
    private var lastHeard: Duration?
    private var lastLogged: Duration?
    private var wasTold = false
    private var lastPlace = ""

    /// Somebody said that they are us.
    /// - Parameters:
    ///   - addresses: where, as they say.
    ///   - own: where this peer listens; the same hosts are this computer.
    ///   - now: time since the start.
    mutating func heard(at addresses: [Multiaddr], own: [Multiaddr], now: Duration) -> Telling {
        if let lastHeard, now - lastHeard > TwinWatch.lifetime { firstHeard = nil }
        lastHeard = now
        lastPlace = TwinWatch.place(of: addresses, own: own)
        guard let firstHeard else {
            firstHeard = now
            return .nothing
        }
        guard now - firstHeard >= TwinWatch.confirmation else { return .nothing }
        if let lastLogged, now - lastLogged < TwinWatch.logInterval { return .nothing }
        lastLogged = now
        defer { wasTold = true }
        return wasTold ? .log(place: lastPlace) : .owner(place: lastPlace)
    }

    /// Where it was heard of lately, in words; nil when nothing was.
    func place(now: Duration) -> String? {
        guard let firstHeard, let lastHeard, lastHeard - firstHeard >= TwinWatch.confirmation,
            now - lastHeard <= TwinWatch.lifetime
        else { return nil }
        return lastPlace
    }

    private static func place(of addresses: [Multiaddr], own: [Multiaddr]) -> String {
        let ownHosts = Set(own.compactMap(\.ipAddress))
        var hosts: [IPAddress] = []
        for host in addresses.compactMap(\.ipAddress) where !hosts.contains(host) { hosts.append(host) }
        if hosts.allSatisfy({ $0.isLoopback || ownHosts.contains($0) }) { return "this computer" }
        return hosts.prefix(mostPlaces).map(\.description).joined(separator: ", ")
    }
}
