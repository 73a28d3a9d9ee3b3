import Crypto
import GoopCore
import Multiformats

/// The last entry of a backup: who it is of, and what every file before it has to be.
struct BackupManifest: Sendable, Hashable {
    static let path = "goop2-backup.json"
    static let format = "goop2-backup"
    static let maximumBytes = 256 << 20

    struct File: Sendable, Hashable {
        var path: String
        var size: Int64
        /// Hexadecimal.
        var sha256: String
    }

    var id: String
    var label: String
    /// Seconds since 1970.
    var created: Int64
    var files: [File]

    /// The text, with the checksum of itself without one.
    var encoded: [UInt8] {
        encoded(checksum: Hex.encode(Array(SHA256.hash(data: encoded(checksum: "")))))
    }

    private func encoded(checksum: String) -> [UInt8] {
        JSONWriter.pretty([
            "format": .string(BackupManifest.format), "version": .integer(1), "checksum": .string(checksum),
            "id": .string(id),
            "label": .string(label),
            "created": .integer(created),
            "files": .array(
                files.map {
                    ["path": .string($0.path), "size": .integer($0.size), "sha256": .string($0.sha256)]
                }),
        ])
    }

    init(id: String, label: String, created: Int64, files: [File]) {
        self.id = id
        self.label = label
        self.created = created
        self.files = files
    }

    /// Reads the entry; nil if it is none, damaged, or of a version that is not known.
    init?(decoding bytes: [UInt8]) {
        let limits = JSONParser.Limits(bytes: BackupManifest.maximumBytes, depth: 4, values: 8_000_000)
        guard let object = (try? JSONParser.parse(bytes, limits: limits))?.object,
            object["format"]?.string == BackupManifest.format, object["version"]?.int64 == 1,
            let id = object["id"]?.string, let list = object["files"]?.array
        else { return nil }
        var files: [File] = []
        for value in list {
            guard let file = value.object, let path = file["path"]?.string, let size = file["size"]?.int64,
                let sha256 = file["sha256"]?.string
            else { return nil }
            files.append(File(path: path, size: size, sha256: sha256))
        }
        self.init(
            id: id, label: object["label"]?.string ?? "", created: object["created"]?.int64 ?? 0, files: files)
        guard encoded == bytes else { return nil }
    }
}
