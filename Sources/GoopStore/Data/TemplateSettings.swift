import GRDB
import GoopCore

/// What pages may know of the template that their site was made from: upstream's programs write it into `_meta`, ours leave
/// it as it is.
///
/// Source: peer wire reference, sections 4 and 9.
enum TemplateSettings {
    /// The longest manifest that is looked at, in bytes.
    static let maximumBytes = 64 << 10
    /// The members of a manifest that are told. The others name tables, roles and folders, which visitors have no need of.
    private static let told = ["name", "description", "category", "icon"]

    /// `{"name","description","category","icon","require_email"}`; of the first four those that are texts there.
    static func load(_ database: Database) throws -> JSONValue {
        let rows = try Row.fetchAll(
            database,
            sql: """
                SELECT key, value FROM "_meta" WHERE key IN ('template_manifest', 'template_require_email')
                AND length(CAST(value AS BLOB)) <= ?
                """, arguments: [maximumBytes])
        var values: [String: String] = [:]
        for row in rows {
            if let key = row.text("key") { values[key] = row.text("value") }
        }
        let manifest = values["template_manifest"].flatMap { try? JSONParser.parse(Array($0.utf8)) }?.object
        var settings = JSONObject()
        for name in told {
            if let text = manifest?[name]?.string { settings[name] = .string(text) }
        }
        // The key of its own is what upstream goes by; a manifest from elsewhere may come without it.
        let isRequired = values["template_require_email"].map { $0 == "1" } ?? manifest?["require_email"]?.bool ?? false
        settings["require_email"] = .bool(isRequired)
        return .object(settings)
    }
}
