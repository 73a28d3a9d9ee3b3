/// Whether a value is told in words, and not in the way Swift prints one that has none: `missingHeader`,
/// `closed(P2PSwarm.CloseReason.local(code: 0))`.
public func isInWords(_ value: some CustomStringConvertible) -> Bool {
    let text = value.description
    let isPrintedByCase = zip(text, text.dropFirst()).contains { $0.isLetter && $1 == "(" }
    return !isPrintedByCase && text.split(separator: " ").count > 2
}
