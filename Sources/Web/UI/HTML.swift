internal import Base

/// A piece of a page.
///
/// Text that is put in is escaped; names of elements and attributes are written in the program. So nothing out of a
/// repository can become an element, however it is called.
struct HTML: Sendable, Equatable {
    fileprivate(set) var source: String

    private init(source: String) { self.source = source }

    static let nothing = HTML(source: "")

    /// Text, with what cannot be seen made visible.
    static func text(_ text: String) -> HTML { HTML(source: Markup.escape(Markup.visible(text))) }

    /// Text whose line ends and tabs count, such as a log.
    static func lines(_ text: String) -> HTML {
        // By scalars: for Swift a carriage return and a line feed are one character.
        func parts(_ text: Substring.UnicodeScalarView, _ mark: Unicode.Scalar) -> [Substring.UnicodeScalarView] {
            text.split(separator: mark, omittingEmptySubsequences: false)
        }
        let lines = parts(Substring(text).unicodeScalars, "\n").map { line in
            parts(line, "\t").map { Markup.escape(Markup.visible(String($0))) }.joined(separator: "\t")
        }
        return HTML(source: lines.joined(separator: "\n"))
    }

    /// An element; attributes that are nil are left out.
    init(
        _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:],
        @HTMLBuilder _ content: () -> HTML
    ) {
        source = Self.tag(name, attributes) + content().source + "</\(name)>"
    }

    /// An element that holds nothing, such as `meta`.
    static func void(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:]) -> HTML {
        HTML(source: tag(name, attributes))
    }

    private static func tag(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?>) -> String {
        "<\(name)" + attributes.compactMap { key, value in value.map { " \(key)=\"\(Markup.escape($0))\"" } }.joined()
            + ">"
    }

    /// Several pieces in a row.
    static func row(_ pieces: [HTML]) -> HTML { HTML(source: pieces.map(\.source).joined()) }

    /// The bytes of a whole page.
    var document: [UInt8] { Array(("<!doctype html>\n" + source + "\n").utf8) }
}

/// Puts pieces and texts in a row.
@resultBuilder enum HTMLBuilder {
    static func buildExpression(_ text: String) -> HTML { .text(text) }
    static func buildExpression(_ text: String?) -> HTML { text.map(HTML.text) ?? .nothing }
    static func buildExpression(_ piece: HTML) -> HTML { piece }
    static func buildExpression(_ piece: HTML?) -> HTML { piece ?? .nothing }
    static func buildExpression(_ pieces: [HTML]) -> HTML { .row(pieces) }
    static func buildBlock(_ pieces: HTML...) -> HTML { .row(pieces) }
    static func buildOptional(_ piece: HTML?) -> HTML { piece ?? .nothing }
    static func buildEither(first: HTML) -> HTML { first }
    static func buildEither(second: HTML) -> HTML { second }
    static func buildArray(_ pieces: [HTML]) -> HTML { .row(pieces) }
}
