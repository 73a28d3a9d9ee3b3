/// One thing that is wrong with a configuration, and what to do about it.
public struct ConfigurationProblem: Sendable, Hashable, CustomStringConvertible {
    /// The key with its section, for example `p2p.listen_port`; nil if the file as a whole is meant.
    public var key: String?
    /// What is wrong, with the facts.
    public var cause: String
    /// What the owner can do.
    public var nextStep: String

    /// Makes a problem.
    public init(key: String?, cause: String, nextStep: String) {
        self.key = key
        self.cause = cause
        self.nextStep = nextStep
    }

    /// One line for a person.
    public var description: String { (key.map { $0 + ": " } ?? "") + cause + "; " + nextStep }
}

/// Why a configuration is not used: every problem found, not only the first.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// At least one.
    public var problems: [ConfigurationProblem]

    /// Makes an error of problems.
    public init(problems: [ConfigurationProblem]) { self.problems = problems }

    /// One line for a person.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// A key of the file that means nothing to this version: kept, and told to the owner.
public struct UnknownConfigurationKey: Sendable, Hashable, CustomStringConvertible {
    /// The key with its section.
    public var key: String
    /// The known key that was probably meant.
    public var suggestion: String?

    /// One line for a person.
    public var description: String {
        "unknown key \(key)" + (suggestion.map { ", did you mean \($0)?" } ?? "") + " (it is kept and has no effect)"
    }
}
