import Multiformats
import PeerIdentity

/// What the daemon answers to one request.
///
/// Wire shape: protobuf; field 1 is 0 for success and 1 for an error, and the field of the request's kind holds the answer.
enum ControlResponse: Equatable {
    case done
    case failed(String)
    case stream(StreamInfo)
    case identity(peer: PeerID, addresses: [Multiaddr])
    case peers([PeerInfo])
    case topics([String])
    case topicPeers([PeerID])
    case peerProtocols([String])
    case peerInfo(PeerInfo)

    /// A peer with its addresses.
    struct PeerInfo: Equatable {
        var peer: PeerID
        var addresses: [Multiaddr]

        fileprivate var message: ProtobufWriter {
            var writer = ProtobufWriter()
            writer.append(1, bytes: peer.bytes)
            for address in addresses { writer.append(2, bytes: address.bytes) }
            return writer
        }
    }

    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        if case .failed(let reason) = self {
            writer.append(1, varint: 1)
            var error = ProtobufWriter()
            error.append(1, string: reason)
            writer.append(2, message: error)
            return writer.bytes
        }
        writer.append(1, varint: 0)
        switch self {
        case .done, .failed:
            break
        case .stream(let info):
            writer.append(3, bytes: info.protobuf)
        case .identity(let peer, let addresses):
            writer.append(4, message: PeerInfo(peer: peer, addresses: addresses).message)
        case .peers(let peers):
            for peer in peers { writer.append(6, message: peer.message) }
        case .topics(let topics):
            var answer = ProtobufWriter()
            for topic in topics { answer.append(1, string: topic) }
            writer.append(7, message: answer)
        case .topicPeers(let peers):
            var answer = ProtobufWriter()
            for peer in peers { answer.append(2, bytes: peer.bytes) }
            writer.append(7, message: answer)
        case .peerProtocols(let names):
            var answer = ProtobufWriter()
            for name in names { answer.append(2, string: name) }
            writer.append(8, message: answer)
        case .peerInfo(let info):
            var answer = ProtobufWriter()
            answer.append(1, message: info.message)
            writer.append(8, message: answer)
        }
        return writer.bytes
    }
}

/// What stands before the bytes of a stream: in the answer to the client that opened it, or alone on the connection that the
/// daemon makes to a client for an inbound one.
struct StreamInfo: Equatable {
    var peer: PeerID
    var address: Multiaddr
    var protocolName: String

    var protobuf: [UInt8] {
        var writer = ProtobufWriter()
        writer.append(1, bytes: peer.bytes)
        writer.append(2, bytes: address.bytes)
        writer.append(3, string: protocolName)
        return writer.bytes
    }
}
