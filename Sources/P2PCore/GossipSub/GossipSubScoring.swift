/// Weights and thresholds of peer scoring.
///
/// A peer's score is the sum, over the topics we joined, of what it did there (P1 to P4, capped from above), plus what
/// the application says (P5), what its address says (P6) and how it behaves (P7). The published protocol leaves every
/// figure to the application. These suit topics of small and rare messages between acquaintances, such as presence:
/// good conduct earns little, two or three breaches of the rules shut a peer out for minutes.
///
/// P3 (too few deliveries) is off: in a quiet topic, or one with a single author, honest mesh peers have nothing to
/// deliver, and would be punished for silence. Opportunistic grafting and IHAVE answer silent mesh peers.
///
/// Source: gossipsub v1.1, "Peer Scoring".
public struct GossipSubScoring: Sendable, Hashable {
    /// P1: per second in the mesh.
    public var timeInMeshWeight = 0.01
    /// P1: seconds counted at most.
    public var timeInMeshCap = 300.0
    /// P2: per message this peer brought first.
    public var firstDeliveryWeight = 1.0
    /// P2: decay per second.
    public var firstDeliveryDecay = 0.98
    /// P2: messages counted at most.
    public var firstDeliveryCap = 30.0
    /// P3: per square of the missing deliveries; negative, 0 switches it off.
    public var meshDeliveryWeight = 0.0
    /// P3: decay per second.
    public var meshDeliveryDecay = 0.97
    /// P3: deliveries expected, decayed.
    public var meshDeliveryThreshold = 5.0
    /// P3: deliveries counted at most.
    public var meshDeliveryCap = 20.0
    /// P3: a copy counts if it comes at most this long after the first.
    public var meshDeliveryWindow: Duration = .milliseconds(50)
    /// P3: time in the mesh before it counts.
    public var meshDeliveryActivation: Duration = .seconds(30)
    /// P3b: per square of the deficit at the time of a PRUNE; negative, 0 switches it off.
    public var meshFailureWeight = 0.0
    /// P3b: decay per second.
    public var meshFailureDecay = 0.98
    /// P4: per square of the invalid messages. The third one reaches the graylist.
    public var invalidMessageWeight = -10.0
    /// P4: decay per second; three keep a peer out of every mesh for about twenty minutes.
    public var invalidMessageDecay = 0.995
    /// Upper bound of what all topics together may earn.
    public var topicScoreCap = 100.0
    /// P5: weight of the application's own score.
    public var applicationWeight = 1.0
    /// P6: per square of the peers of one address above the threshold.
    public var colocationWeight = -10.0
    /// P6: peers of one public IPv4 address, or IPv6 /56, that are no reason for suspicion. Loopback and private
    /// addresses never are: a household, an office or a test has many peers there.
    public var colocationThreshold = 10
    /// P7: per square of the breaches above the threshold.
    public var behaviourWeight = -10.0
    /// P7: breaches that bad luck explains.
    public var behaviourThreshold = 6.0
    /// P7: decay per second.
    public var behaviourDecay = 0.99
    /// A counter below this is zero.
    public var decayToZero = 0.01
    /// How long a negative score outlives the connection.
    public var retention: Duration = .seconds(3600)

    /// Below this a peer neither gets gossip nor is believed any.
    public var gossipThreshold = -20.0
    /// Below this our own messages are not sent to it outside the mesh.
    public var publishThreshold = -40.0
    /// Below this everything it says is dropped unread.
    public var graylistThreshold = -80.0
    /// A mesh whose median is below this takes in better peers.
    public var opportunisticGraftThreshold = 2.0

    /// The defaults.
    public init() {}
}
