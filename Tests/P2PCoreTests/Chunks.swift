/// Takes a random non-empty piece off the front of `bytes`.
func takeChunk(_ bytes: inout [UInt8], _ generator: inout some RandomNumberGenerator) -> ArraySlice<UInt8> {
    let count = Int.random(in: 1...bytes.count, using: &generator)
    let chunk = bytes[..<count]
    bytes.removeSubrange(..<count)
    return chunk
}
