extension GoopConfiguration {
    /// The names of all keys with their sections.
    public static var knownKeys: [String] { ConfigurationField.all.map(\.key) }

    /// Reads a file's bytes over the defaults and validates the outcome.
    ///
    /// A byte order mark is skipped; `null` means the default; names match without regard to ASCII case, as upstream's.
    /// - Throws: every problem found.
    public init(decoding bytes: some Collection<UInt8>) throws(ConfigurationError) {
        self.init()
        document = try GoopConfiguration.object(in: bytes)
        var problems: [ConfigurationProblem] = []
        for field in ConfigurationField.all {
            switch value(of: field) {
            case .absent: continue
            case .sectionIsNoObject: continue
            case .present(let value) where !field.write(&self, value):
                problems.append(
                    .init(
                        key: field.key, cause: "must be \(field.kind), not \(value.kindName)",
                        nextStep: "correct it or remove the key to get the default"))
            case .present: continue
            }
        }
        for section in GoopConfiguration.sections {
            guard let spelling = document.spelling(of: section), let value = document[spelling] else { continue }
            if value.object == nil, !value.isNull {
                problems.append(
                    .init(
                        key: section, cause: "must be an object, not \(value.kindName)",
                        nextStep: "write \"\(section)\": { ... } or remove it"))
            }
        }
        problems += validate()
        guard problems.isEmpty else { throw ConfigurationError(problems: problems) }
    }

    /// The file: what was read, with every changed setting in its place, and new ones after the others of their section.
    public func encoded() -> [UInt8] {
        var document = document
        let defaults = GoopConfiguration()
        for field in ConfigurationField.all {
            let value = field.read(self)
            let sectionName = document.spelling(of: field.section) ?? field.section
            var section = document[sectionName]?.object ?? JSONObject()
            if let name = section.spelling(of: field.name), section[name]?.isNull != true {
                section[name] = value
            } else if value != field.read(defaults) {
                section[field.name] = value
            } else {
                continue
            }
            document[sectionName] = .object(section)
        }
        return JSONWriter.pretty(.object(document))
    }

    /// The keys of the file that mean nothing here, in the file's order.
    public var unknownKeys: [UnknownConfigurationKey] {
        var unknown: [UnknownConfigurationKey] = []
        for member in document.members {
            guard let section = GoopConfiguration.sections.first(where: { JSONObject.isSameName($0, member.name) })
            else {
                unknown.append(unknownKey(member.name, section: nil))
                continue
            }
            let known = ConfigurationField.all.filter { $0.section == section }
            for name in member.value.object?.members.map(\.name) ?? []
            where !known.contains(where: { JSONObject.isSameName($0.name, name) }) {
                unknown.append(unknownKey(name, section: section))
            }
        }
        return unknown
    }

    private func unknownKey(_ name: String, section: String?) -> UnknownConfigurationKey {
        let name = name.prefix(utf8Bytes: 128)
        guard let section else {
            let elsewhere = ConfigurationField.all.first { $0.name == name }?.key
            return UnknownConfigurationKey(
                key: name,
                suggestion: NameSuggestion.nearest(to: name, among: GoopConfiguration.sections) ?? elsewhere)
        }
        let inSection = ConfigurationField.all.filter { $0.section == section }.map(\.name)
        let near = NameSuggestion.nearest(to: name, among: inSection).map { section + "." + $0 }
        let elsewhere = ConfigurationField.all.first { $0.name == name }?.key
        return UnknownConfigurationKey(key: section + "." + name, suggestion: near ?? elsewhere)
    }

    private static let sections = ["identity", "paths", "p2p", "presence", "profile", "viewer", "lua", "data", "site"]

    private enum Found {
        case absent
        case sectionIsNoObject
        case present(JSONValue)
    }

    private func value(of field: ConfigurationField) -> Found {
        guard let spelling = document.spelling(of: field.section), let value = document[spelling], !value.isNull else {
            return .absent
        }
        guard let section = value.object else { return .sectionIsNoObject }
        guard let name = section.spelling(of: field.name), let value = section[name], !value.isNull else {
            return .absent
        }
        return .present(value)
    }

    private static func object(in bytes: some Collection<UInt8>) throws(ConfigurationError) -> JSONObject {
        let value: JSONValue
        do {
            value = try JSONParser.parse(bytes, limits: .init(bytes: maximumFileBytes))
        } catch {
            throw ConfigurationError(problems: [problem(of: error, in: Array(bytes))])
        }
        guard let object = value.object else {
            throw ConfigurationError(problems: [
                .init(
                    key: nil, cause: "the file holds \(value.kindName) instead of an object",
                    nextStep: "write the settings inside { }")
            ])
        }
        return object
    }

    private static func problem(of error: JSONError, in bytes: [UInt8]) -> ConfigurationProblem {
        let step = "correct the file there, or move it away to start with the defaults"
        switch error {
        case .truncated:
            return .init(key: nil, cause: "the file ends in the middle of a value", nextStep: step)
        case .unexpected(let offset), .trailing(let offset):
            let before = bytes.prefix(offset)
            let line = before.count { $0 == 0x0A } + 1
            let column = offset - (before.lastIndex(of: 0x0A) ?? -1)
            return .init(key: nil, cause: "no valid JSON at line \(line), column \(column)", nextStep: step)
        case .tooDeep(let limit):
            return .init(key: nil, cause: "more than \(limit) levels of nesting", nextStep: step)
        case .tooLarge(let limit, let size):
            return .init(key: nil, cause: "the file has \(size) bytes; the limit is \(limit)", nextStep: step)
        case .tooManyValues(let limit):
            return .init(key: nil, cause: "more than \(limit) values", nextStep: step)
        }
    }
}
