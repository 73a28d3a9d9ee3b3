/// What an expression is before any row is read, as far as texts go: literals, placeholders, and such joined by `||` or
/// put through `lower` and `upper`.
enum ConstantText: Equatable {
    case null
    case text(String)

    /// The value of `expression`, or nil if it depends on rows or is no text.
    init?(_ expression: QueryExpression, arguments: [QueryValue]) {
        switch expression {
        case .constant(.null): self = .null
        case .literal(let value): self.init(value)
        case .placeholder(let number):
            guard number > 0, number <= arguments.count else { return nil }
            self.init(arguments[number - 1])
        case .binary(.concatenate, let left, let right):
            guard let left = ConstantText(left, arguments: arguments),
                let right = ConstantText(right, arguments: arguments)
            else { return nil }
            switch (left, right) {
            case (.text(let left), .text(let right)): self = .text(left + right)
            default: self = .null
            }
        case .call(.lower, let inner): self.init(inner, arguments: arguments, first: 0x41, last: 0x5A)
        case .call(.upper, let inner): self.init(inner, arguments: arguments, first: 0x61, last: 0x7A)
        default: return nil
        }
    }

    private init?(_ value: QueryValue) {
        switch value {
        case .null: self = .null
        case .integer(let number): self = .text(String(number))
        case .text(let text): self = .text(text)
        case .real, .blob: return nil
        }
    }

    /// The text with the letters from `first` to `last` in their other case: as SQLite does it, ASCII only.
    private init?(_ inner: [QueryExpression], arguments: [QueryValue], first: UInt8, last: UInt8) {
        guard inner.count == 1, let value = ConstantText(inner[0], arguments: arguments) else { return nil }
        guard case .text(let text) = value else {
            self = .null
            return
        }
        self = .text(
            String(decoding: text.utf8.map { $0 >= first && $0 <= last ? $0 ^ 0x20 : $0 }, as: UTF8.self))
    }

    /// The value to bind.
    var value: QueryValue {
        switch self {
        case .null: .null
        case .text(let text): .text(text)
        }
    }
}
