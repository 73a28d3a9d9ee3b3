/// Text for an HTML page. Literals are markup of ours; everything interpolated is escaped.
///
/// So foreign text cannot become markup by being forgotten: `"<p>\(label)</p>" as HTMLText` is always safe within
/// elements and within double-quoted attributes that are not addresses.
struct HTMLText: ExpressibleByStringInterpolation, Sendable {
    let markup: String

    init(stringLiteral value: String) {
        markup = value
    }

    init(stringInterpolation: StringInterpolation) {
        markup = stringInterpolation.markup
    }

    /// Several pieces, one after the other.
    init(_ pieces: [HTMLText]) {
        markup = pieces.map(\.markup).joined()
    }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var markup = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            markup.reserveCapacity(literalCapacity + interpolationCount * 32)
        }

        mutating func appendLiteral(_ literal: String) {
            markup += literal
        }

        mutating func appendInterpolation(_ text: some StringProtocol) {
            for scalar in text.unicodeScalars {
                switch scalar {
                case "&": markup += "&amp;"
                case "<": markup += "&lt;"
                case ">": markup += "&gt;"
                case "\"": markup += "&quot;"
                case "'": markup += "&#39;"
                default: markup.unicodeScalars.append(scalar)
                }
            }
        }

        mutating func appendInterpolation(_ html: HTMLText) {
            markup += html.markup
        }
    }
}
