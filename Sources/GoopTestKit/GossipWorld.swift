public import Multiformats
public import P2PCore
public import PeerIdentity

/// Many GossipSub routers on a virtual network, and the record of who received what, when.
///
/// Signatures are simulated: a message is signed by its author if its signature bytes are the author's mark. Honest
/// nodes run the real router. Attackers are written as an `Adversary` and see every frame sent to them.
///
/// The world repeats exactly from its seed; tests name the seed in each expectation.
public struct GossipWorld: Sendable {
    /// A node's place in the network.
    public typealias NodeNumber = Int

    /// One honest node.
    public struct Node: Sendable {
        /// Its router.
        public var router: GossipSub
        /// False after a crash, until it is started again.
        public var isAlive = true
        /// Nodes it has a connection to.
        public var neighbours: [NodeNumber: (isOutbound: Bool, address: IPAddress?)] = [:]
        /// The next sequence number.
        var sequence: UInt64
        /// The timer that counts; older ones are ignored.
        var armedDeadline: MonotonicInstant?
    }

    /// A frame under way. The body is without its length.
    public struct Frame: Sendable {
        /// The RPC's bytes.
        public var body: ArraySlice<UInt8>
    }

    /// Where and when a message was published, and who has it.
    public struct Publication: Sendable {
        /// The author.
        public var author: NodeNumber
        /// When.
        public var time: MonotonicInstant
        /// The nodes that received it, with the time.
        public var deliveries: [NodeNumber: MonotonicInstant] = [:]
    }

    /// What a router told its application.
    public enum Occurrence: Sendable {
        /// A message of the topic reached a node.
        case delivered(to: NodeNumber, from: NodeNumber, data: [UInt8])
        /// A node learned that another follows the topic.
        case subscribed(at: NodeNumber, other: NodeNumber)
    }

    /// What happened at honest nodes since it was last emptied; only kept while `keepsOccurrences`.
    public var occurrences: [Occurrence] = []
    /// Whether `occurrences` is filled.
    public var keepsOccurrences = false

    /// The topic all nodes follow.
    public static let topic = "world"

    /// The wires.
    public var network: VirtualNetwork<Frame>
    /// Honest nodes by number.
    public private(set) var nodes: [Node?] = []
    /// Attackers by number.
    public private(set) var adversaries: [NodeNumber: any Adversary] = [:]
    /// The honest nodes that an attacker has dialled.
    public private(set) var victims: [NodeNumber: [NodeNumber]] = [:]
    /// What was published, in order.
    public private(set) var publications: [(id: MessageID, publication: Publication)] = []
    /// Frames each honest node wrote.
    public private(set) var framesSent: [NodeNumber: Int] = [:]
    /// The steps of the scenario, run at their time.
    private var steps: [@Sendable (inout GossipWorld) -> Void] = []
    private var publicationIndex: [MessageID: Int] = [:]
    private var numbers: [PeerID: NodeNumber] = [:]
    private let parameters: GossipSubParameters
    private let limits: GossipSubLimits
    private let scoring: GossipSubScoring

    /// An empty world.
    public init(
        seed: UInt64, parameters: GossipSubParameters = .init(), limits: GossipSubLimits = .init(),
        scoring: GossipSubScoring = .init()
    ) {
        network = VirtualNetwork(seed: seed)
        self.parameters = parameters
        self.limits = limits
        self.scoring = scoring
    }

    // MARK: - Nodes

    /// A peer id without a key, the same in every run.
    public static func peerID(of number: NodeNumber) -> PeerID {
        do {
            let digest = (0..<32).map { UInt8(truncatingIfNeeded: $0 < 8 ? number >> (8 * $0) : 0xee) }
            return try PeerID(multihash: [0x12, 0x20] + digest)
        } catch {
            preconditionFailure("a sha2-256 multihash is a peer id: \(error)")
        }
    }

    /// Adds an honest node that follows the topic.
    public mutating func addNode() -> NodeNumber {
        let number = nodes.count
        numbers[Self.peerID(of: number)] = number
        nodes.append(Node(router: makeRouter(number), sequence: 1))
        start(number)
        return number
    }

    /// Adds an attacker.
    public mutating func addAdversary(_ adversary: any Adversary) -> NodeNumber {
        let number = nodes.count
        numbers[Self.peerID(of: number)] = number
        nodes.append(nil)
        adversaries[number] = adversary
        network.setTimer(node: number, at: network.now.advanced(by: network.random.duration(upTo: adversary.interval)))
        return number
    }

    /// The honest nodes that are up.
    public var liveNodes: [NodeNumber] { nodes.indices.filter { nodes[$0]?.isAlive == true } }

    /// The router of a node.
    public func router(_ number: NodeNumber) -> GossipSub? { nodes[number]?.router }

    /// Numbers of the honest mesh peers of a node.
    public func honestMesh(of number: NodeNumber) -> [NodeNumber] {
        (nodes[number]?.router.meshPeers(of: Self.topic) ?? []).compactMap { numbers[$0] }.filter { nodes[$0] != nil }
    }

    private func makeRouter(_ number: NodeNumber) -> GossipSub {
        GossipSub(
            localPeer: Self.peerID(of: number), parameters: parameters, limits: limits, scoring: scoring,
            random: SeededGenerator(seed: network.seed &* 1_000_003 &+ UInt64(number)),
            // Nodes do not beat in step.
            now: network.now.advanced(by: .milliseconds(number * 37 % 1000)))
    }

    private mutating func start(_ number: NodeNumber) {
        do {
            let actions = try nodes[number]?.router.join(Self.topic, now: network.now)
            perform(actions ?? [], on: number)
        } catch {
            preconditionFailure("the topic is valid: \(error)")
        }
        arm(number)
    }

    /// Ends a node without a word. Its neighbours notice at once.
    public mutating func crash(_ number: NodeNumber) {
        for neighbour in (nodes[number]?.neighbours.keys.sorted() ?? []) { disconnect(number, neighbour) }
        nodes[number]?.isAlive = false
    }

    /// How many nodes a node is connected to.
    public func neighbourCount(of number: NodeNumber) -> Int { nodes[number]?.neighbours.count ?? 0 }

    /// Starts a crashed node anew, without memory, and joins it to some live nodes on its side of any partition.
    public mutating func restart(_ number: NodeNumber, connections: Int) {
        let router = makeRouter(number)
        nodes[number]?.router = router
        nodes[number]?.armedDeadline = nil
        nodes[number]?.isAlive = true
        start(number)
        let others = liveNodes.filter { $0 != number && !network.arePartitioned($0, number) }
            .shuffled(using: &network.random).prefix(connections)
        for other in others { connect(number, to: other) }
    }

    // MARK: - Connections

    /// The first node dials the second. Across a partition the dial fails, as it would on a real network.
    public mutating func connect(
        _ dialler: NodeNumber, to listener: NodeNumber, quality: VirtualNetwork<Frame>.Quality = .init(),
        diallerAddress: IPAddress? = nil
    ) {
        guard !network.areConnected(dialler, listener), !network.arePartitioned(dialler, listener),
            dialler != listener
        else { return }
        network.connect(dialler, listener, quality: quality)
        if adversaries[dialler] != nil { victims[dialler, default: []].append(listener) }
        nodes[dialler]?.neighbours[listener] = (true, nil)
        nodes[listener]?.neighbours[dialler] = (false, diallerAddress)
        open(dialler, to: listener)
        open(listener, to: dialler)
    }

    private mutating func open(_ number: NodeNumber, to neighbour: NodeNumber) {
        guard let facts = nodes[number]?.neighbours[neighbour] else { return }
        let actions = nodes[number]?.router.outboundOpened(
            to: Self.peerID(of: neighbour), version: .v1_2, isOutbound: facts.isOutbound, address: facts.address,
            now: network.now)
        perform(actions ?? [], on: number)
    }

    /// The connection breaks; both sides notice.
    public mutating func disconnect(_ one: NodeNumber, _ other: NodeNumber) {
        network.disconnect(one, other)
        for (node, neighbour) in [(one, other), (other, one)] {
            guard nodes[node]?.neighbours.removeValue(forKey: neighbour) != nil else { continue }
            let actions = nodes[node]?.router.disconnected(Self.peerID(of: neighbour), now: network.now)
            perform(actions ?? [], on: node)
        }
    }

    /// Joins every node to `degree` random others among the given ones.
    public mutating func connectRandomly(
        _ numbers: [NodeNumber], degree: Int, quality: VirtualNetwork<Frame>.Quality = .init()
    ) {
        for number in numbers {
            let others = numbers.filter { $0 != number }.shuffled(using: &network.random)
            for other in others.prefix(degree) { connect(number, to: other, quality: quality) }
        }
    }

    // MARK: - Messages

    /// Publishes a message of so many bytes.
    @discardableResult
    public mutating func publish(from number: NodeNumber, size: Int = 64) -> MessageID? {
        publish(from: number, data: [UInt8](repeating: 0x2a, count: size))
    }

    /// Publishes these bytes.
    @discardableResult
    public mutating func publish(from number: NodeNumber, data: [UInt8]) -> MessageID? {
        guard let sequence = nodes[number]?.sequence, nodes[number]?.isAlive == true else { return nil }
        nodes[number]?.sequence += 1
        let message = GossipMessage.assembled(
            data: data, topic: Self.topic, sequence: sequence, source: Self.peerID(of: number), signature: Self.mark)
        publicationIndex[message.id] = publications.count
        publications.append((message.id, Publication(author: number, time: network.now)))
        do {
            let actions = try nodes[number]?.router.publish(message, now: network.now)
            perform(actions ?? [], on: number)
        } catch {
            preconditionFailure("the message is valid: \(error)")
        }
        return message.id
    }

    /// A message as its author signs it; with `forged` somebody else pretends.
    public static func message(
        author: NodeNumber, sequence: UInt64, size: Int, forged: Bool = false, topic: String = topic
    ) -> GossipMessage {
        .assembled(
            data: [UInt8](repeating: 0x2a, count: size), topic: topic, sequence: sequence, source: peerID(of: author),
            signature: forged ? [0] : mark)
    }

    private static let mark: [UInt8] = [1]

    // MARK: - Running

    /// Puts a step on the calendar.
    public mutating func at(_ time: MonotonicInstant, _ step: @escaping @Sendable (inout GossipWorld) -> Void) {
        steps.append(step)
        network.schedule(step: steps.count - 1, at: time)
    }

    /// Runs for so long.
    public mutating func run(for duration: Duration) {
        let end = network.now.advanced(by: duration)
        while let event = network.next(until: end) {
            switch event {
            case .packet(let frame, let sender, let receiver):
                if nodes[receiver] != nil {
                    let actions = nodes[receiver]?.router.received(
                        frame.body, from: Self.peerID(of: sender), now: network.now)
                    perform(actions ?? [], on: receiver)
                } else if var adversary = adversaries[receiver] {
                    adversary.received(frame.body, from: sender, as: receiver, world: &self)
                    adversaries[receiver] = adversary
                }
            case .timer(let number, _):
                if var adversary = adversaries[number] {
                    adversary.act(as: number, world: &self)
                    adversaries[number] = adversary
                    network.setTimer(node: number, at: network.now.advanced(by: adversary.interval))
                } else if nodes[number]?.isAlive == true, nodes[number]?.armedDeadline == network.now {
                    nodes[number]?.armedDeadline = nil
                    let actions = nodes[number]?.router.timerFired(now: network.now)
                    perform(actions ?? [], on: number)
                    arm(number)
                }
            case .sent(_, let sender, let receiver):
                // Nil for an attacker, which waits for nothing.
                let actions = nodes[sender]?.router.wrote(to: Self.peerID(of: receiver), now: network.now)
                perform(actions ?? [], on: sender)
            case .step(let index): steps[index](&self)
            }
        }
    }

    /// An attacker's frame. Honest nodes write through their routers only.
    public mutating func inject(_ rpc: GossipRPC, from number: NodeNumber, to receiver: NodeNumber) {
        let body = rpc.encode()[...]
        network.send(Frame(body: body), bytes: body.count, from: number, to: receiver)
    }

    /// An attacker's frame to all honest nodes it has dialled.
    public mutating func inject(_ rpc: GossipRPC, fromAttacker number: NodeNumber, except spared: NodeNumber? = nil) {
        let body = rpc.encode()[...]
        for victim in victims[number] ?? [] where victim != spared {
            network.send(Frame(body: body), bytes: body.count, from: number, to: victim)
        }
    }

    private mutating func arm(_ number: NodeNumber) {
        guard let deadline = nodes[number]?.router.nextDeadline,
            nodes[number]?.armedDeadline.map({ deadline < $0 }) ?? true
        else { return }
        nodes[number]?.armedDeadline = deadline
        network.setTimer(node: number, at: deadline)
    }

    private mutating func perform(_ actions: [GossipSubAction], on number: NodeNumber) {
        defer { arm(number) }
        for action in actions {
            switch action {
            case .send(let peer, let frame):
                framesSent[number, default: 0] += 1
                var reader = ByteReader(frame)
                if let receiver = numbers[peer], (try? reader.readVarint()) != nil {
                    let body = Frame(body: reader.remaining)
                    // On a wire with a rate a frame is written when it has left.
                    if network.send(body, bytes: frame.count, from: number, to: receiver) { continue }
                }
                let next = nodes[number]?.router.wrote(to: peer, now: network.now)
                perform(next ?? [], on: number)
            case .verify(let ticket, let message):
                let verdict: SignatureVerdict = message.signature.elementsEqual(Self.mark) ? .valid : .invalid
                let next = nodes[number]?.router.verified(ticket, verdict, now: network.now)
                perform(next ?? [], on: number)
            case .validate(let ticket, _, _):
                let next = nodes[number]?.router.validated(ticket, .accept, now: network.now)
                perform(next ?? [], on: number)
            case .deliver(let message, _):
                if keepsOccurrences, let author = numbers[message.source] {
                    occurrences.append(.delivered(to: number, from: author, data: Array(message.data)))
                }
                guard let index = publicationIndex[message.id] else { continue }
                publications[index].publication.deliveries[number] = network.now
            case .peerSubscribed(let peer, _):
                if keepsOccurrences, let other = numbers[peer] {
                    occurrences.append(.subscribed(at: number, other: other))
                }
            case .peerUnsubscribed, .grafted, .pruned, .resetInbound, .abandonInbound, .refuse, .connect: continue
            }
        }
    }
}

/// An attacker: what it does to everybody it is connected to.
public protocol Adversary: Sendable {
    /// How often `act` is called.
    var interval: Duration { get }
    /// A frame arrived.
    mutating func received(
        _ body: ArraySlice<UInt8>, from sender: GossipWorld.NodeNumber, as number: GossipWorld.NodeNumber,
        world: inout GossipWorld)
    /// Some time has passed.
    mutating func act(as number: GossipWorld.NodeNumber, world: inout GossipWorld)
}
