// The types of these modules appear throughout the public API; whoever imports LibP2P sees them too.
@_exported public import Multiformats
@_exported public import P2PCore
@_exported public import PeerIdentity
