#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The fuzzer's own main loop.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// The entry that this process runs; set once, before the loop begins.
nonisolated(unsafe) private var chosen: ([UInt8]) -> Void = { _ in }

/// What the fuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    chosen(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// The program: `FUZZ_ENTRY` names the entry, the arguments are the fuzzer's. Without an entry it prints their names.
@_cdecl("Fuzz_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    guard let name = getenv("FUZZ_ENTRY").map({ String(cString: $0) }), let entry = entries[name] else {
        for name in entries.keys.sorted() { print(name) }
        return getenv("FUZZ_ENTRY") == nil ? 0 : 2
    }
    chosen = entry
    var count = count
    var arguments = arguments
    return runDriver(&count, &arguments) { fuzzOneInput($0, $1) }
}

/// Stops the process, and with it the fuzzer, if a law does not hold.
func require(_ law: Bool, _ text: @autoclosure () -> String) {
    if !law { fatalError("broken law: \(text())") }
}

/// All entries by name: one for each parser and each state machine that a stranger's bytes reach.
nonisolated(unsafe) let entries: [String: ([UInt8]) -> Void] = [
    // Encodings
    "varint": fuzzVarint,
    "multibase": fuzzMultibase,
    "multiaddr": fuzzMultiaddr,
    "protobuf": fuzzProtobuf,
    "peer-id": fuzzPeerID,
    "key": fuzzKey,
    "envelope": fuzzEnvelope,
    // Connections
    "multistream": fuzzMultistream,
    "noise-handshake": fuzzNoiseHandshake,
    "noise-payload": fuzzNoisePayload,
    "noise-frame": fuzzNoiseFrame,
    "upgrade": fuzzUpgrade,
    "tls-presumption": fuzzTLSPresumption,
    "certificate": fuzzCertificate,
    "yamux": fuzzYamux,
    // Protocols
    "ping": fuzzPing,
    "identify": fuzzIdentify,
    "identify-push": fuzzIdentifyPush,
    "observed-addresses": fuzzObservedAddresses,
    "gossip-frame": fuzzGossipFrame,
    "gossip-rpc": fuzzGossipRPC,
    "gossip": fuzzGossip,
    "dns": fuzzDNS,
    "mdns": fuzzMDNS,
    // What strangers can take of us
    "dial": fuzzDial,
    "address-book": fuzzAddressBook,
    "ledger": fuzzLedger,
    "byte-shares": fuzzByteShares,
    "shares": fuzzShares,
    "trimming": fuzzTrimming,
    "lines": fuzzLines,
    "strangers": fuzzStrangers,
    "login-throttle": fuzzLoginThrottle,
    // Sites and people
    "site": fuzzSite,
    "site-query": fuzzSiteQuery,
    "site-changes": fuzzSiteChanges,
    "visitors": fuzzVisitors,
    "presence": fuzzPresence,
    "presence-machine": fuzzPresenceMachine,
    "peer-table": fuzzPeerTable,
    "peer-records": fuzzPeerRecords,
    "avatar": fuzzAvatar,
    // Tables
    "json": fuzzJSON,
    "data": fuzzData,
    "schema": fuzzSchema,
    "query": fuzzQuery,
    "csv": fuzzCSV,
    "json-rows": fuzzJSONRows,
    "times": fuzzTimes,
    // The viewer
    "target": fuzzTarget,
    "request-guard": fuzzRequestGuard,
    "conditions": fuzzConditions,
    "data-translation": fuzzDataTranslation,
    "watched-tables": fuzzWatchedTables,
    // Files, sockets and the terminal
    "configuration": fuzzConfiguration,
    "viewer-text": fuzzViewerText,
    "tar": fuzzTar,
    "backup-list": fuzzBackupList,
    "command": fuzzCommand,
    "daemon-control": fuzzDaemonControl,
    "frame-log": fuzzFrameLog,
    "gossip-reading": fuzzGossipReading,
    "terminal": fuzzTerminal,
]
