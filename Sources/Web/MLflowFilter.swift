internal import Base

/// A filter in MLflow's own grammar: comparisons joined by `AND`.
///
/// Runs are searched with the filter language of `Runs`: ``text`` says the same in it. Experiments, registered models and
/// logged models are few and looked at one by one.
/// - SeeAlso: MLflow's `mlflow/utils/search_utils.py`
struct MLflowFilter {
    enum Kind: String { case attribute, metric, param, tag, dataset }

    enum Value: Equatable {
        case text(String)
        case number(Double)
        case list([String])
        case null
    }

    struct Comparison {
        let kind: Kind
        let key: String
        /// `=`, `!=`, `<`, `LIKE`, `NOT IN`, `IS`, `IS NOT`, … in capitals.
        let comparator: String
        let value: Value
    }

    let comparisons: [Comparison]

    init(_ text: String?) throws {
        guard let text, text.contains(where: { !$0.isWhitespace }) else {
            comparisons = []
            return
        }
        var parser = MLflowFilterParser(text)
        comparisons = try parser.comparisons()
    }

    // MARK: As a filter of runs

    private static let attributes = [
        "run_id": "run", "run_name": "name", "run name": "name", "Run name": "name", "Run Name": "name",
        "status": "status", "user_id": "user", "start_time": "started", "end_time": "ended", "created": "started",
        "Created": "started",
    ]

    /// The same for the runs; without what is asked of datasets and places, which ``extra`` decides.
    var runsText: String? {
        get throws {
            let parts = try comparisons.compactMap { try Self.text($0) }
            return parts.isEmpty ? nil : parts.joined(separator: " and ")
        }
    }

    /// What is asked that the filter of runs has no words for.
    var extra: [Comparison] {
        comparisons.filter { $0.kind == .dataset || ($0.kind == .attribute && $0.key == "artifact_uri") }
    }

    private static func text(_ comparison: Comparison) throws -> String? {
        let name: String
        switch comparison.kind {
        case .dataset: return nil
        case .metric: name = "metrics." + quoted(comparison.key, "\"")
        case .param: name = "params." + quoted(comparison.key, "\"")
        case .tag:
            // What MLflow has as tags, we have as members of a run.
            switch comparison.key {
            case "mlflow.runName": name = "name"
            case "mlflow.user": name = "user"
            case "mlflow.parentRunId": name = "parent"
            default: name = "tags." + quoted(comparison.key, "\"")
            }
        case .attribute:
            if comparison.key == "artifact_uri" { return nil }
            guard let known = attributes[comparison.key] else {
                throw SearchRules.runs.unknown(comparison.key)
            }
            name = known
        }
        switch comparison.value {
        case .null: return "\(name) \(comparison.comparator == "IS" ? "is null" : "is not null")"
        case .list(let texts):
            let list = texts.map { quoted($0, "'") }.joined(separator: ", ")
            return "\(name) \(comparison.comparator.lowercased()) (\(list))"
        case .number(let number): return "\(name) \(comparison.comparator) \(number)"
        case .text(let text):
            if comparison.kind == .attribute, name == "status", text.uppercased() == "SCHEDULED" {
                return "\(name) \(comparison.comparator.lowercased()) 'scheduled'"
            }
            return "\(name) \(comparison.comparator.lowercased()) \(quoted(text, "'"))"
        }
    }

    static func quoted(_ text: String, _ mark: String) -> String {
        mark + text.replacing(mark, with: mark + mark) + mark
    }

    // MARK: One by one

    /// Whether something is chosen; `value` tells what it has under a key.
    func matches(_ value: (Comparison) throws -> Value?) rethrows -> Bool {
        for comparison in comparisons where try !comparison.holds(value(comparison)) { return false }
        return true
    }
}

extension MLflowFilter.Comparison {
    /// Whether it is true of a value; what is not there is true of nothing but `IS NULL`.
    func holds(_ own: MLflowFilter.Value?) -> Bool {
        switch (own, value) {
        case (nil, .null): return comparator == "IS"
        case (_, .null): return comparator == "IS NOT"
        case (.number(let a)?, .number(let b)):
            return Self.compare(a, b, comparator)
        case (.text(let a)?, .text(let b)):
            switch comparator {
            case "LIKE": return Self.like(a, b)
            case "ILIKE": return Self.like(a.lowercased(), b.lowercased())
            default: return Self.compare(a, b, comparator)
            }
        case (.text(let a)?, .list(let list)): return list.contains(a) == (comparator == "IN")
        default: return false
        }
    }

    private static func compare<T: Comparable>(_ a: T, _ b: T, _ comparator: String) -> Bool {
        switch comparator {
        case "=": a == b
        case "!=": a != b
        case "<": a < b
        case "<=": a <= b
        case ">": a > b
        case ">=": a >= b
        default: false
        }
    }

    /// SQL's LIKE: `%` for anything, `_` for one character.
    static func like(_ text: String, _ pattern: String) -> Bool {
        let (text, pattern) = (Array(text), Array(pattern))
        var (t, p) = (0, 0)
        var mark: (t: Int, p: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == "%" {
                mark = (t, p)
                p += 1
            } else if p < pattern.count, pattern[p] == "_" || pattern[p] == text[t] {
                t += 1
                p += 1
            } else if let last = mark {
                mark = (last.t + 1, last.p)
                (t, p) = (last.t + 1, last.p + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "%" }
    }
}

/// Cuts a filter into comparisons.
struct MLflowFilterParser {
    private enum Token: Equatable {
        case word(String)
        /// In single or double quotes.
        case text(String)
        case symbol(String)
    }

    private let source: String
    private let units: [Character]
    private var at = 0

    init(_ text: String) {
        source = text
        units = Array(text)
    }

    private func failure(_ reason: String) -> MLflowFailure {
        .invalid("Invalid clause(s) in filter string: \(reason), in \"\(source)\"")
    }

    mutating func comparisons() throws -> [MLflowFilter.Comparison] {
        var found = [try comparison()]
        while let token = try next() {
            guard case .word(let word) = token, word.uppercased() == "AND" else {
                throw failure("only AND joins comparisons, not \(Self.shown(token))")
            }
            found.append(try comparison())
        }
        return found
    }

    private mutating func comparison() throws -> MLflowFilter.Comparison {
        guard case .word(let identifier)? = try next() else { throw failure("a comparison is missing") }
        let (kind, key) = try Self.entity(identifier)
        var comparator = try symbol()
        if comparator == "IS" || comparator == "NOT" {
            let mark = at
            let word = try next()
            switch word {
            case .word(let text)? where comparator == "IS" && text.uppercased() == "NOT": comparator = "IS NOT"
            case .word(let text)? where comparator == "NOT" && text.uppercased() == "IN": comparator = "NOT IN"
            default:
                guard comparator == "IS" else { throw failure("after NOT stands IN") }
                at = mark
            }
        }
        return MLflowFilter.Comparison(
            kind: kind, key: key, comparator: comparator, value: try value(kind, key, comparator))
    }

    private mutating func symbol() throws -> String {
        switch try next() {
        case .symbol(let symbol)? where ["=", "!=", "<", "<=", ">", ">="].contains(symbol): return symbol
        case .word(let word)? where ["LIKE", "ILIKE", "IN", "NOT", "IS"].contains(word.uppercased()):
            return word.uppercased()
        case let other: throw failure("a comparator is expected, not \(other.map(Self.shown) ?? "the end")")
        }
    }

    private mutating func value(_ kind: MLflowFilter.Kind, _ key: String, _ comparator: String) throws
        -> MLflowFilter.Value
    {
        if comparator.hasPrefix("IS") {
            guard case .word(let word)? = try next(), word.uppercased() == "NULL" else {
                throw failure("after \(comparator) stands NULL")
            }
            return .null
        }
        if comparator.hasSuffix("IN") { return .list(try list()) }
        let token = try next()
        switch (Self.isNumeric(kind, key), token) {
        case (_, nil): throw failure("a value is missing")
        case (true, .word(let word)?):
            if let number = Double(word), number.isFinite { return .number(number) }
        case (true, .text(let text)?) where key == "version_number":
            if let number = Double(text) { return .number(number) }
        case (false, .text(let text)?): return .text(text)
        default: break
        }
        let shown = token.map(Self.shown) ?? ""
        if Self.isNumeric(kind, key) {
            let what = kind == .metric ? "metric" : "numeric attribute: \(key)"
            throw MLflowFailure.invalid("Expected numeric value type for \(what). Found \(shown)")
        }
        if case .word(let word)? = token, Double(word) == nil {
            throw MLflowFailure.invalid(
                "Parameter value is either not quoted or unidentified quote types used for string value \(word)."
                    + " Use either single or double quotes.")
        }
        let what = kind == .param ? "parameter" : kind == .attribute ? "attributes" : kind.rawValue
        throw MLflowFailure.invalid(
            "Expected a quoted string value for \(what) (e.g. 'my-value'). Got value \(shown)")
    }

    private mutating func list() throws -> [String] {
        guard case .symbol("(")? = try next() else { throw failure("after IN stands a list in parentheses") }
        var texts: [String] = []
        while true {
            switch try next() {
            case .text(let text)?: texts.append(text)
            case .symbol(")")? where texts.isEmpty:
                throw MLflowFailure.invalid(
                    "While parsing a list in the query, expected a non-empty list of string values, but got empty list")
            case let other: throw failure("a text in quotes is expected, not \(other.map(Self.shown) ?? "the end")")
            }
            switch try next() {
            case .symbol(",")?: continue
            case .symbol(")")?: return texts
            default: throw failure("the list is not closed")
            }
        }
    }

    private static func isNumeric(_ kind: MLflowFilter.Kind, _ key: String) -> Bool {
        switch kind {
        case .metric: true
        case .attribute:
            [
                "start_time", "end_time", "created", "Created", "creation_time", "last_update_time",
                "creation_timestamp", "last_updated_timestamp", "version_number",
            ].contains(key)
        default: false
        }
    }

    private static let kinds: [String: MLflowFilter.Kind] = [
        "metrics": .metric, "metric": .metric, "params": .param, "param": .param, "parameters": .param,
        "parameter": .param, "tags": .tag, "tag": .tag, "attributes": .attribute, "attribute": .attribute,
        "attr": .attribute, "run": .attribute, "dataset": .dataset, "datasets": .dataset,
    ]

    /// `metrics.loss`, ``tags.`a b` ``, `status`.
    static func entity(_ text: String) throws -> (MLflowFilter.Kind, String) {
        guard let dot = text.firstIndex(of: ".") else { return (.attribute, unquoted(text)) }
        let family = String(text[..<dot])
        guard let kind = kinds[family] else {
            throw MLflowFailure.invalid(
                "Invalid entity type '\(family)'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
            )
        }
        return (kind, unquoted(String(text[text.index(after: dot)...])))
    }

    private static func unquoted(_ text: String) -> String {
        guard text.count >= 2, let first = text.first, first == text.last, first == "`" || first == "\"" else {
            return text
        }
        return String(text.dropFirst().dropLast())
    }

    private static func shown(_ token: Token) -> String {
        switch token {
        case .word(let text), .symbol(let text): "'\(text)'"
        case .text(let text): "'\(text)'"
        }
    }

    // MARK: Words

    private mutating func next() throws -> Token? {
        while at < units.count, units[at].isWhitespace { at += 1 }
        guard at < units.count else { return nil }
        switch units[at] {
        case "'", "\"": return .text(try quoted())
        case "=", "!", "<", ">":
            let start = at
            while at < units.count, "=!<>".contains(units[at]) { at += 1 }
            let symbol = String(units[start..<at])
            return .symbol(symbol == "<>" ? "!=" : symbol == "==" ? "=" : symbol)
        case "(", ")", ",":
            at += 1
            return .symbol(String(units[at - 1]))
        default: return .word(try word())
        }
    }

    private mutating func quoted() throws -> String {
        let mark = units[at]
        var text = ""
        at += 1
        while at < units.count {
            if units[at] == mark {
                at += 1
                guard at < units.count, units[at] == mark else { return text }
            }
            text.append(units[at])
            at += 1
        }
        throw failure("a quote is not closed")
    }

    /// A name, in which keys in quotes are kept with them, or a number.
    private mutating func word() throws -> String {
        let start = at
        while at < units.count, !units[at].isWhitespace, !"=!<>(),'".contains(units[at]) {
            if units[at] == "`" || units[at] == "\"" {
                let mark = units[at]
                guard let end = units[(at + 1)...].firstIndex(of: mark) else { throw failure("a quote is not closed") }
                at = end
            }
            at += 1
        }
        guard at > start else { throw failure("'\(units[at])' has no meaning here") }
        return String(units[start..<at])
    }
}
