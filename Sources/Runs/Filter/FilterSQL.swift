internal import Base
internal import GRDB

/// A condition as an SQL expression over a row `r` of `runs`, with its parameters in order.
///
/// SQLite's own three-valued logic is that of ``FilterEvaluation``: what is missing, NaN (stored as NULL) and a division
/// by zero are NULL.
struct FilterSQL {
    private(set) var values: [IndexValue] = []
    private let nameID: (String) throws -> Int64?

    /// `nameID` answers the number of a key; nil when no run has it.
    init(nameID: @escaping (String) throws -> Int64?) { self.nameID = nameID }

    /// The name under which connections know ``LikePattern``.
    static let like = DatabaseFunction("git_ml_like", argumentCount: 3, pure: true) { values in
        guard let text = String.fromDatabaseValue(values[0]), let pattern = String.fromDatabaseValue(values[1]) else {
            return nil
        }
        return LikePattern(pattern, ignoresCase: values[2] == 1.databaseValue).matches(text)
    }

    mutating func expression(_ condition: FilterCondition) throws -> String {
        switch condition {
        case .and(let conditions): try list(conditions, " AND ")
        case .or(let conditions): try list(conditions, " OR ")
        case .not(let condition): "(NOT \(try expression(condition)))"
        case .numbers(let a, let comparison, let b): "(\(try number(a)) \(comparison.rawValue) \(try number(b)))"
        case .texts(let a, let comparison, let b): "(\(try text(a)) \(comparison.rawValue) \(try text(b)))"
        case .like(let text, let pattern): try like(text, pattern)
        case .numberIn(let value, let choices): try isIn(try number(value), choices.map { .double($0) })
        case .textIn(let value, let choices): try isIn(try text(value), choices.map { .text($0) })
        case .isMissing(let source): try isMissing(source.operand)
        }
    }

    /// SQLite nests a list one deep an item, and allows a depth of 1000: halves nest less.
    private mutating func list(_ conditions: [FilterCondition], _ word: String) throws -> String {
        var parts: [String] = []
        for condition in conditions { parts.append(try expression(condition)) }
        return Self.joined(parts[...], word)
    }

    private static func joined(_ parts: ArraySlice<String>, _ word: String) -> String {
        if parts.count == 1 { return parts.first ?? "" }
        let middle = parts.startIndex + parts.count / 2
        return "(" + joined(parts[..<middle], word) + word + joined(parts[middle...], word) + ")"
    }

    private mutating func bound(_ value: IndexValue) -> String {
        values.append(value)
        return "?"
    }

    /// Whether a column is in a set that an index has found.
    mutating func member(_ column: String, of set: IndexSet) -> String {
        values.append(set.value)
        return "\(column) IN (\(set.sql))"
    }

    private mutating func like(_ value: FilterText, _ pattern: LikePattern) throws -> String {
        let text = try text(value)
        return "\(Self.like.name)(\(text), \(bound(.text(pattern.text))), \(pattern.ignoresCase ? 1 : 0))"
    }

    private mutating func isIn(_ value: String, _ choices: [IndexValue]) throws -> String {
        var list: [String] = []
        for choice in choices { list.append(bound(choice)) }
        return "(\(value) IN (\(list.joined(separator: ", "))))"
    }

    private func isMissing(_ operand: FilterOperand) throws -> String {
        if case .metric(let key) = operand {
            guard let id = try nameID(key) else { return "1" }
            return "(NOT EXISTS(SELECT 1 FROM metrics v WHERE v.run = r.id AND v.key = \(id)))"
        }
        return
            "(\(try Self.column(operand, asNumber: operand.kind != .text && operand.kind != .flexible, nameID)) IS NULL)"
    }

    private mutating func number(_ number: FilterNumber) throws -> String {
        switch number {
        case .literal(let value): bound(.double(value))
        case .value(let source): try Self.column(source.operand, asNumber: true, nameID)
        case .negated(let a): "(- \(try self.number(a)))"
        case .sum(let a, let b): "(\(try self.number(a)) + \(try self.number(b)))"
        case .difference(let a, let b): "(\(try self.number(a)) - \(try self.number(b)))"
        case .product(let a, let b): "(\(try self.number(a)) * \(try self.number(b)))"
        case .quotient(let a, let b): "(\(try self.number(a)) / \(try self.number(b)))"
        }
    }

    private mutating func text(_ text: FilterText) throws -> String {
        switch text {
        case .literal(let value): bound(.text(value))
        case .value(let source): try Self.column(source.operand, asNumber: false, nameID)
        }
    }

    /// The value of an operand; `NULL` when no run has it.
    static func column(_ operand: FilterOperand, asNumber: Bool, _ nameID: (String) throws -> Int64?) throws -> String {
        func value(_ table: String, _ column: String, _ key: String) throws -> String {
            guard let id = try nameID(key) else { return "NULL" }
            return "(SELECT v.\(column) FROM \(table) v WHERE v.run = r.id AND v.key = \(id))"
        }
        switch operand {
        case .metric(let key): return try value("metrics", "value", key)
        case .param(let key): return try value("params", asNumber ? "number" : "value", key)
        case .tag(let key): return try value("tags", asNumber ? "number" : "value", key)
        case .attribute(let attribute):
            switch attribute {
            case .run: return "lower(hex(r.run))"
            case .commit: return "(SELECT lower(hex(c.oid)) FROM commits c WHERE c.id = r.code)"
            case .started: return "(r.started / 1000.0)"
            case .ended: return "(r.started / 1000.0 + r.seconds * 1000.0)"
            case .exit: return "CAST(r.exit AS REAL)"
            default: return "r." + attribute.rawValue
            }
        }
    }
}
