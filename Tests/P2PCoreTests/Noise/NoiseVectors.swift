import GoopTestKit
import PeerIdentity

@testable import P2PCore

/// The published cacophony vector for Noise_XX_25519_ChaChaPoly_SHA256.
enum Cacophony {
    static let prologue = hex("4a6f686e2047616c74")
    static let initiatorKeys = NoiseKeys(
        ephemeralKey: hex("893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"),
        staticKey: hex("e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1"))
    static let responderKeys = NoiseKeys(
        ephemeralKey: hex("bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"),
        staticKey: hex("4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893"))
    static let handshake: [(payload: String, message: String)] = [
        (
            "4c756477696720766f6e204d69736573",
            """
            ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573
            """
        ),
        (
            "4d757272617920526f746862617264",
            """
            95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f14480884381cbad1f276e038c48378ffce2b65285\
            e08d6b68aaa3629a5a8639392490e5b9bd5269c2f1e4f488ed8831161f19b7815528f8982ffe09be9b5c412f8a0db50f\
            8814c7194e83f23dbd8d162c9326ad
            """
        ),
        (
            "462e20412e20486179656b",
            """
            c7195ffacac1307ff99046f219750fc47693e23c3cb08b89c2af808b444850a80ae475b9df0f169ae80a89be0865b57f\
            58c9fea0d4ec82a286427402f113e4b6ae769a1d95941d49b25030
            """
        ),
    ]
    static let responderTransport = (
        payload: "4361726c204d656e676572", message: "96763ed773f8e47bb3712f0e29b3060ffc956ffc146cee53d5e1df"
    )
    static let initiatorTransport = (
        payload: "4a65616e2d426170746973746520536179",
        message: "3e40f15f6f3a46ae446b253bf8b1d9ffb6ed9b174d272328ff91a7e2e5c79c07f5"
    )
    static let handshakeHash = hex("c8e5f64e846193be2a834104c2a009868d6c9f3bd3c186299888b488b2f1f58e")
}

/// A libp2p handshake computed by an independent program: keys of repeated bytes, identities from counting seeds.
enum LibP2PTranscript {
    static let initiatorKeys = NoiseKeys(
        ephemeralKey: [UInt8](repeating: 2, count: 32), staticKey: [UInt8](repeating: 1, count: 32))
    static let responderKeys = NoiseKeys(
        ephemeralKey: [UInt8](repeating: 4, count: 32), staticKey: [UInt8](repeating: 3, count: 32))
    static func initiatorIdentity() throws -> PrivateKey { try PrivateKey(ed25519Seed: Array(0..<32)) }
    static func responderIdentity() throws -> PrivateKey { try PrivateKey(ed25519Seed: Array(32..<64)) }
    static let initiatorPeer = "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB"
    static let responderPeer = "12D3KooWCd3eX8r5ihRvzK7P1yPq5aakaBJhG5GNj18YTztPhoCa"
    static let muxers: [ProtocolID] = ["/yamux/1.0.0"]

    static let payload2 = hex(
        """
        0a240801122029acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd712404813b78adabfd8f8\
        e86a7e5702fc78bcf91b929201956be960595da1af9fe1088f6369977653b8712baa468a5c1d5bdacff9d031e4828ba9\
        f3f0de4d1a1bef02220e120c2f79616d75782f312e302e30
        """)
    static let payload3 = hex(
        """
        0a240801122003a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b81240c8cdeeb644bfd4a2\
        b8a9ffba95fee0a2a67d4fea0ba6c591bd3a663846f1f14663efff635cd5eb8896d9725d37ff89dea1dac6576a8e9fbd\
        d28f78fa0e9b8a0c220e120c2f79616d75782f312e302e30
        """)
    static let frame1 = hex("0020ce8d3ad1ccb633ec7b70c17814a5c76ecd029685050d344745ba05870e587d59")
    static let frame2 = hex(
        """
        00d8ac01b2209e86354fb853237b5de0f4fab13c7fcbf433a61c019369617fecf10bb719b14d19eaf5ca91c89748c5ce\
        8668e6864f05ee2367682b3e0c2fd086f0b4f64162733f3fe548251c518fe8c03ccea02da3639e59b4b9966cb5376f4e\
        73b60dd6d0fc12903b466fa4ef14d121bf1b9678287265c67a024afe8c407e5102f4d093e3ba0692f7ca3bf975e0b8c1\
        58b5b8283c4b0d77d77acc48d042653746b117a225dc7b126c3817ec7481b8528b85d0a7ee738b47d63d956092ddb10c\
        c9f7246b6354d8dc0a91b052a1a85b421beaf814a886f1cca540
        """)
    static let frame3 = hex(
        """
        00b8539a5cf3ae8a0a9134b32bfa775a1522db3558a1351ed4101989b8b88aa6a6f01292de9cb3ea47bc3a0950bdca75\
        70eb4d46bc2ab3b7de296d2479db3d488a88bb6369d54890dbdd7a3fd2e0c6be46497d1483c07c3a4d7cb7a5680a94cd\
        3e6ad136e709f8bfef4f066fe1b02237f71731503522eb18ab3e55206b7c1db46f16ba12bab0d7f0eff2e80caa3ef805\
        e1284c2cd7fb6f975c11e3aa65506c26ac752ece86e7dcd8dac19e391cc5a54fdc3bbd2399713edad9dc
        """)
    /// The initiator's first transport frame, around the 20 bytes of the multistream header.
    static let transportPlaintext = hex("132f6d756c746973747265616d2f312e302e300a")
    static let transportFrame = hex(
        "00248e82fcd5ad0fc5f9075f02345222fb97ba80c4c7d32fdc50ecea116e700e5bf868b63799")

    static func initiator(
        expecting peer: PeerID? = nil, muxers: [ProtocolID] = muxers
    ) throws -> NoiseHandshake {
        try NoiseHandshake(
            role: .initiator, identity: initiatorIdentity(), expectedPeer: peer, muxers: muxers, keys: initiatorKeys)
    }

    static func responder(
        expecting peer: PeerID? = nil, muxers: [ProtocolID] = muxers
    ) throws -> NoiseHandshake {
        try NoiseHandshake(
            role: .responder, identity: responderIdentity(), expectedPeer: peer, muxers: muxers, keys: responderKeys)
    }
}
