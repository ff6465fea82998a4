/// A word of a filter.
struct FilterToken: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        case number(Double)
        case text(String)
        /// `metrics.auc`; what stood in quotes behind the last dot is the key.
        case name(String, quotedKey: String?)
        /// In small letters: `and`, `is`, …
        case keyword(String)
        /// `>=`, `+`, `(`, `,`.
        case symbol(String)
        case end
    }

    let kind: Kind
    /// In characters; the first is 1.
    let column: Int

    /// As it is named in an error.
    var shown: String {
        switch kind {
        case .number(let value): "“\(value)”"
        case .text(let text): "“'\(text)'”"
        case .name(let name, let key): "“\(name)\(key.map { "\"\($0)\"" } ?? "")”"
        case .keyword(let word), .symbol(let word): "“\(word)”"
        case .end: "the end"
        }
    }
}

/// Cuts a filter into words.
struct FilterLexer {
    static let keywords: Set<String> = ["and", "or", "not", "like", "ilike", "in", "is", "null", "true", "false"]
    private static let comparisons: Set<String> = ["=", "==", "!=", "<>", "<", "<=", ">", ">="]

    private let text: String
    private let units: [Character]
    private var at = 0

    init(_ text: String) {
        self.text = text
        units = Array(text)
    }

    static func tokens(_ text: String) throws(FilterFailure) -> [FilterToken] {
        var lexer = FilterLexer(text)
        var tokens: [FilterToken] = []
        repeat { tokens.append(try lexer.next()) } while tokens.last?.kind != .end
        return tokens
    }

    private func failure(_ reason: String, at place: Int) -> FilterFailure {
        FilterFailure(text: text, column: place + 1, reason: reason)
    }

    private mutating func next() throws(FilterFailure) -> FilterToken {
        while at < units.count, units[at].isWhitespace { at += 1 }
        let start = at
        return FilterToken(kind: try kind(), column: start + 1)
    }

    private mutating func kind() throws(FilterFailure) -> FilterToken.Kind {
        guard at < units.count else { return .end }
        switch units[at] {
        case "'", "\"": return .text(try quoted())
        case "=", "<", ">", "!": return try comparison()
        case "+", "-", "*", "/", "(", ")", ",":
            at += 1
            return .symbol(String(units[at - 1]))
        case let unit where Self.isDigit(unit) || (unit == "." && at + 1 < units.count && Self.isDigit(units[at + 1])):
            return try number()
        case let unit where Self.startsName(unit): return try name()
        case let unit: throw failure("“\(unit)” has no meaning here", at: at)
        }
    }

    private mutating func comparison() throws(FilterFailure) -> FilterToken.Kind {
        let start = at
        while at < units.count, "=<>!".contains(units[at]) { at += 1 }
        let symbol = String(units[start..<at])
        guard Self.comparisons.contains(symbol) else {
            throw failure("“\(symbol)” is no comparison: =, !=, <, <=, > and >= are", at: start)
        }
        return .symbol(symbol)
    }

    /// The text between two quotes of the kind that stands here; two of them stand for one.
    private mutating func quoted() throws(FilterFailure) -> String {
        let (start, quote) = (at, units[at])
        var text = ""
        at += 1
        while at < units.count {
            if units[at] == quote {
                at += 1
                guard at < units.count, units[at] == quote else { return text }
            }
            text.append(units[at])
            at += 1
        }
        throw failure("the \(quote) is not closed", at: start)
    }

    private mutating func number() throws(FilterFailure) -> FilterToken.Kind {
        let start = at
        while at < units.count, Self.isDigit(units[at]) || units[at] == "." { at += 1 }
        if at < units.count, units[at] == "e" || units[at] == "E" {
            at += 1
            if at < units.count, units[at] == "+" || units[at] == "-" { at += 1 }
        }
        while at < units.count, Self.isDigit(units[at]) || Self.startsName(units[at]) || units[at] == "." { at += 1 }
        let text = String(units[start..<at])
        guard let value = Double(text), value.isFinite, !text.lowercased().contains("x") else {
            throw failure("“\(text)” is no number", at: start)
        }
        return .number(value)
    }

    private mutating func name() throws(FilterFailure) -> FilterToken.Kind {
        let start = at
        while at < units.count, Self.startsName(units[at]) || Self.isDigit(units[at]) || units[at] == "." { at += 1 }
        let name = String(units[start..<at])
        if units[at - 1] == "." {
            guard at < units.count, units[at] == "\"" || units[at] == "`" else {
                throw failure("after “\(name)” a name is missing", at: at)
            }
            return .name(name, quotedKey: try quoted())
        }
        let word = name.lowercased()
        return Self.keywords.contains(word) ? .keyword(word) : .name(name, quotedKey: nil)
    }

    private static func isDigit(_ unit: Character) -> Bool { unit.isASCII && unit.isNumber }
    private static func startsName(_ unit: Character) -> Bool { unit == "_" || unit.isLetter }
}
