/// Finds what somebody meant who mistyped a name.
public enum NameSuggestion {
    /// The candidate with the fewest differing letters, if it is near enough to be meant: at most a third of its
    /// length apart, and never more than three letters.
    /// - Complexity: O(candidates * length²); names beyond 64 bytes get no suggestion.
    public static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
        guard name.utf8.count <= 64 else { return nil }
        let lowercased = Array(name.lowercased().utf8)
        var best: (distance: Int, name: String)?
        for candidate in candidates where candidate.utf8.count <= 64 {
            let distance = distance(lowercased, Array(candidate.lowercased().utf8))
            guard distance <= min(3, max(1, candidate.utf8.count / 3)) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (distance, candidate) }
        }
        return best?.name
    }

    /// The number of single-byte insertions, removals and changes, and swaps of neighbours.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var older: [Int] = []
        var previous = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                var cost = min(previous[column + 1] + 1, current[column] + 1)
                cost = min(cost, previous[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, older[column - 1] + 1)
                }
                current.append(cost)
            }
            older = previous
            previous = current
        }
        return previous[right.count]
    }
}
