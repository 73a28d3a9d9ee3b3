import GoopCore
import Testing

/// The settings as a page shows and changes them.
@Suite struct ConfigurationSettingTests {
    @Test func everyKeyHasATitleAndAMeaning() {
        let settings = GoopConfiguration().settings
        #expect(settings.map(\.key) == GoopConfiguration.knownKeys)
        for setting in settings {
            #expect(!setting.meaning.isEmpty, "\(setting.key)")
            #expect(!setting.title.isEmpty && setting.title != setting.key, "\(setting.key)")
        }
        // Two settings that are called alike could not be told apart by what is heard first.
        #expect(Set(settings.map(\.title)).count == settings.count)
    }

    @Test func aSecretIsNeverShownOnlyWhetherThereIsOne() {
        var configuration = GoopConfiguration()
        configuration.presence.adminPassword = Secret("hush")
        let settings = configuration.settings
        #expect(settings.first { $0.key == "presence.admin_password" }?.isSet == true)
        #expect(settings.first { $0.key == "profile.bridge_token" }?.isSet == false)
        #expect(!"\(settings)".contains("hush"))
        for setting in settings where setting.key.hasSuffix("token") || setting.key.contains("private") {
            #expect(setting.isSecret && setting.value == .null, "\(setting.key)")
        }
    }

    @Test func aThemeIsChosenAmongItsWordsAndAnyOtherInAFileIsAuto() throws {
        var configuration = GoopConfiguration()
        #expect(configuration.viewer.chosenTheme == .auto)
        let setting = try #require(configuration.settings.first { $0.key == "viewer.theme" })
        #expect(setting.choices == ["auto", "light", "dark"] && setting.standard == "auto")
        for word in setting.choices {
            try configuration.apply(["viewer.theme": .string(word)])
            #expect(configuration.viewer.chosenTheme.rawValue == word)
        }
        #expect(throws: ConfigurationError.self) { try configuration.apply(["viewer.theme": "drak"]) }
        #expect(configuration.viewer.chosenTheme == .dark)
        // Upstream takes any word, so a file with one must not stop the start, nor the save of something else.
        configuration = try GoopConfiguration(decoding: Array(#"{"viewer":{"theme":"sepia"}}"#.utf8))
        #expect(configuration.viewer.chosenTheme == .auto)
        try configuration.apply(["viewer.debug": true])
        #expect(configuration.viewer.theme == "sepia")
    }

    @Test func howSafelyTablesAreStoredIsChosenBetweenTwoWords() throws {
        var configuration = GoopConfiguration()
        let setting = try #require(configuration.settings.first { $0.key == "data.durability" })
        #expect(setting.choices == ["full", "normal"] && setting.standard == "full")
        for word in setting.choices { try configuration.apply(["data.durability": .string(word)]) }
        #expect(configuration.data.durability == "normal")
        #expect(throws: ConfigurationError.self) { try configuration.apply(["data.durability": "fast"]) }
    }

    @Test func changesAreCheckedAsAWholeAndTakenWholeOrNotAtAll() throws {
        var configuration = GoopConfiguration()
        try configuration.apply(["presence.ttl_seconds": .integer(60), "presence.heartbeat_seconds": .integer(30)])
        #expect(configuration.presence.ttlSeconds == 60)
        let before = configuration
        for changes: [String: JSONValue] in [
            ["profile.label": .string("new"), "p2p.listen_port": .integer(70_000)],
            ["profile.label": .string("new"), "p2p.listen_port": .string("many")],
            ["profile.label": .string("new"), "p2p.nothing": .bool(true)],
            ["presence.heartbeat_seconds": .integer(60)],
        ] {
            #expect(throws: ConfigurationError.self) { try configuration.apply(changes) }
            #expect(configuration == before)
        }
        try configuration.apply(["presence.ttl_seconds": .null, "presence.heartbeat_seconds": .null])
        #expect(configuration.differences(from: GoopConfiguration()) == [])
        #expect(configuration.differences(from: before) == ["presence.ttl_seconds", "presence.heartbeat_seconds"])
    }
}
