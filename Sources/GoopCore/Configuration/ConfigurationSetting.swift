/// One key with its value, as a page shows it.
public struct ConfigurationSetting: Sendable, Hashable {
    /// Section and name, joined by a dot.
    public var key: String
    /// What it is called on a page, in a few words.
    public var title: String
    /// What it means, in a sentence.
    public var meaning: String
    /// `text`, `flag`, `number` or `list`.
    public var kind: Kind
    /// The value; of a secret always null.
    public var value: JSONValue
    /// The value of a file without the key; of a secret null.
    public var standard: JSONValue
    /// True for a value that no page, log or answer may hold.
    public var isSecret: Bool
    /// False for the empty text, which of a secret is all that may be told.
    public var isSet: Bool
    /// The words to choose among; empty: any value of the kind.
    public var choices: [String] = []

    /// What values a key takes.
    public enum Kind: String, Sendable, Hashable {
        case text, flag, number
        /// Texts.
        case list
    }
}

extension GoopConfiguration {
    /// Every key, in the order of docs/config.md; secrets without their values.
    public var settings: [ConfigurationSetting] {
        let defaults = GoopConfiguration()
        return ConfigurationField.all.map { field in
            let value = field.read(self)
            return ConfigurationSetting(
                key: field.key, title: ConfigurationTitle.of[field.key] ?? field.key,
                meaning: ConfigurationMeaning.of[field.key] ?? "",
                kind: kind(of: value),
                value: field.isSecret ? .null : value, standard: field.isSecret ? .null : field.read(defaults),
                isSecret: field.isSecret, isSet: value.string.map { !$0.isEmpty } ?? true, choices: field.choices)
        }
    }

    private func kind(of value: JSONValue) -> ConfigurationSetting.Kind {
        if value.bool != nil { return .flag }
        if value.array != nil { return .list }
        return value.string != nil ? .text : .number
    }

    /// Takes over values and validates the outcome as a whole, as if the file held them; `null` brings back the default.
    /// - Throws: every problem found; nothing has changed then.
    public mutating func apply(_ changes: [String: JSONValue]) throws(ConfigurationError) {
        var changed = self
        var problems: [ConfigurationProblem] = []
        let defaults = GoopConfiguration()
        for (key, value) in changes.sorted(by: { $0.key < $1.key }) {
            guard let field = ConfigurationField.all.first(where: { $0.key == key }) else {
                problems.append(.init(key: String(key.prefix(128)), cause: "no such key", nextStep: "reload the page"))
                continue
            }
            let value = value.isNull ? field.read(defaults) : value
            if !field.write(&changed, value) {
                problems.append(
                    .init(key: key, cause: "must be \(field.kind), not \(value.kindName)", nextStep: "correct it"))
            } else if !field.choices.isEmpty, let word = value.string, !field.choices.contains(word) {
                problems.append(
                    .init(
                        key: key, cause: "is none of the words for it",
                        nextStep: "choose \(field.choices.joined(separator: ", "))"))
            }
        }
        problems += changed.validate()
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
        self = changed
    }

    /// The keys whose values differ.
    public func differences(from other: GoopConfiguration) -> [String] {
        ConfigurationField.all.filter { $0.read(self) != $0.read(other) }.map(\.key)
    }
}
