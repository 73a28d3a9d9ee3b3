import Multiformats

/// Where a control connection is made: a socket in the file system, or a TCP port.
enum ControlAddress: Hashable {
    /// The longest path that fits the system's socket address, in bytes.
    static let maximumPathLength = 107

    case unix(path: String)
    case tcp(IPAddress, port: UInt16)

    /// `nil` for addresses of other kinds, or with more behind them.
    init?(_ address: Multiaddr) {
        if let path = address.unixPath, address.components.count == 1, path.utf8.count <= Self.maximumPathLength {
            self = .unix(path: path)
        } else if let ip = address.ipAddress, let port = address.tcpPort, address.components.count == 2 {
            self = .tcp(ip, port: port)
        } else {
            return nil
        }
    }
}

extension ControlAddress: CustomStringConvertible {
    /// As a multiaddr.
    var description: String {
        switch self {
        case .unix(let path): "/unix\(path)"
        case .tcp(let ip, let port): Multiaddr(ip: ip, tcpPort: port).description
        }
    }
}
