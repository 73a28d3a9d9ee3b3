import GoopCore
import GoopHTTP

/// Reads and writes `goop.json` of the running peer's folder. One at a time, so no save is lost.
actor NodeSettingsDesk: SettingsDesk {
    private let file: String
    /// What the peer was started with.
    private let running: GoopConfiguration

    init(file: String, running: GoopConfiguration) {
        self.file = file
        self.running = running
    }

    func settings() async throws(ConfigurationError) -> SettingsSheet { sheet(try read()) }

    func apply(_ changes: [String: JSONValue], isOnlyCheck: Bool) async throws(ConfigurationError) -> SettingsSheet {
        var configuration = try read()
        try configuration.apply(changes)
        if !isOnlyCheck {
            do throws(FileFault) { try AtomicFile.write(configuration.encoded(), to: file) } catch {
                throw problem("it could not be written: \(error)", "check the disk and the file's permissions")
            }
        }
        return sheet(configuration)
    }

    private func read() throws(ConfigurationError) -> GoopConfiguration {
        let bytes: [UInt8]
        do throws(FileFault) {
            bytes = try AtomicFile.read(file, limit: GoopConfiguration.maximumFileBytes)
        } catch {
            throw problem("it could not be read: \(error)", "check that the file is there")
        }
        return try GoopConfiguration(decoding: bytes)
    }

    private func problem(_ cause: String, _ step: String) -> ConfigurationError {
        ConfigurationError(problems: [ConfigurationProblem(key: nil, cause: cause, nextStep: step)])
    }

    private func sheet(_ configuration: GoopConfiguration) -> SettingsSheet {
        SettingsSheet(
            settings: configuration.settings, waitingForRestart: configuration.differences(from: running), file: file,
            notes: configuration.unknownKeys.prefix(20).map(\.description))
    }
}
