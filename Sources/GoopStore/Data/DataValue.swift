import Foundation
import GRDB
import GoopCore
import Multiformats

/// Values between JSON and SQLite.
///
/// Null, texts and numbers are themselves; whole numbers of 64 bits keep every digit; true and false become 1 and 0. A BLOB
/// is `{"$blob":"base64"}` both ways. Infinity, which JSON cannot say, reads as null.
enum DataValue {
    /// What a JSON value means in the table.
    /// - Throws: `badRequest` for lists and objects, for whole numbers whose digits would change, and for texts with NUL,
    ///   behind which GRDB and SQLite's text functions read nothing.
    static func value(_ json: JSONValue, column: String) throws(DataError) -> QueryValue {
        switch json {
        case .null: return .null
        case .bool(let flag): return .integer(flag ? 1 : 0)
        case .number(let digits):
            if let integer = Int64(digits) { return .integer(integer) }
            guard let real = Double(digits), real.isFinite else {
                throw DataError(code: .badRequest, message: "the number for \(column.prefix(64)) is out of range")
            }
            // Scripts write 5.0 as 5, Go writes 5 as 5 or 5e+00: a whole number is one, however it is written.
            if let integer = Int64(exactly: real), abs(real) <= 9_007_199_254_740_992 { return .integer(integer) }
            guard hasAllDigits(real, of: digits) else {
                throw DataError(
                    code: .badRequest, message: "the number for \(column.prefix(64)) has too many digits",
                    detail: "whole numbers have 64 bits; write it as text")
            }
            return .real(real)
        case .string(let text):
            guard !text.utf8.contains(0) else {
                throw DataError(
                    code: .badRequest, message: "unsupported value for \(column.prefix(64))",
                    detail: "a text cannot hold the character U+0000; write such bytes as a blob")
            }
            return .text(text)
        case .object(let object):
            if object.members.count == 1, let text = object["$blob"]?.string {
                guard let bytes = try? Base64.decode(text) else {
                    throw DataError(code: .badRequest, message: "invalid blob", detail: "$blob must hold base64")
                }
                return .blob(bytes)
            }
            throw unfit(json, column)
        case .array: throw unfit(json, column)
        }
    }

    /// Whether a number that is written as a whole one is told by the real one. A script writes the digits that tell it, and
    /// zeros up to its size: `123456789012345680000`.
    private static func hasAllDigits(_ real: Double, of digits: String) -> Bool {
        guard !digits.utf8.contains(where: { ".eE".utf8.contains($0) }) else { return true }
        func significant(_ text: some StringProtocol) -> [UInt8] {
            let digits = text.utf8.filter { (0x30...0x39).contains($0) }
            return Array(digits.prefix(upTo: (digits.lastIndex { $0 != 0x30 } ?? -1) + 1))
        }
        return significant(digits) == significant("\(real)".prefix { $0 != "e" })
    }

    private static func unfit(_ json: JSONValue, _ column: String) -> DataError {
        DataError(
            code: .badRequest, message: "unsupported value for \(column.prefix(64))",
            detail: "\(json.kindName) cannot be stored; write it as text")
    }

    static func json(real: Double) -> JSONValue { real.isFinite ? .number("\(real)") : .null }

    static func json(blob: some Sequence<UInt8>) -> JSONValue { ["$blob": .string(Base64.encode(Array(blob)))] }
}

extension QueryValue {
    /// For GRDB.
    var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let value): value.databaseValue
        case .blob(let bytes): Data(bytes).databaseValue
        }
    }
}
