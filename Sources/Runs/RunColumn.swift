public import Base
internal import GitKit

/// A value that every run may have: `metrics.auc`, `params.lr`, `tags.owner`, or an attribute such as `user`.
public struct RunColumn: Sendable, Equatable {
    /// What a table says of it.
    public enum Kind: Sendable { case run, commit, time, metric, number, text }

    /// As a filter writes it: `metrics."val loss"`.
    public let name: String
    let operand: FilterOperand

    /// Reads a name; what follows the first dot needs no quotes.
    public init(_ name: String) throws {
        operand = try FilterOperand.read(key: name)
        self.name = operand.description
    }

    private init(_ operand: FilterOperand) {
        self.operand = operand
        name = operand.description
    }

    public static func metric(_ key: String) -> RunColumn { RunColumn(.metric(key)) }
    public static func param(_ key: String) -> RunColumn { RunColumn(.param(key)) }
    public static func tag(_ key: String) -> RunColumn { RunColumn(.tag(key)) }

    /// The columns of a list with commas; a comma inside quotes belongs to a key.
    public static func list(_ text: String) throws -> [RunColumn] {
        var (names, quote): ([String], Character?) = ([""], nil)
        for unit in text {
            if unit == "," && quote == nil {
                names.append("")
                continue
            }
            if unit == quote { quote = nil } else if quote == nil, unit == "\"" || unit == "`" { quote = unit }
            names[names.count - 1].append(unit)
        }
        return try names.map { try RunColumn(String($0.drop { $0 == " " }).trimmingTrailingSpace) }
    }

    /// The metric, parameter or tag.
    public var key: String {
        switch operand {
        case .metric(let key), .param(let key), .tag(let key): key
        case .attribute(let attribute): attribute.rawValue
        }
    }

    public var kind: Kind {
        switch operand {
        case .metric: .metric
        case .param, .tag: .text
        case .attribute(.run): .run
        case .attribute(.commit): .commit
        case .attribute(.started), .attribute(.ended): .time
        case .attribute(.seconds), .attribute(.exit): .number
        case .attribute: .text
        }
    }

    /// The value: a text, a number, true or false; null when the run has none.
    public func value(of run: Run) -> JSON {
        switch operand {
        case .metric(let key): run.metrics[key].map { .number($0.last) } ?? .null
        case .param(let key): .optional(run.params[key])
        case .tag(let key): .optional(run.tags[key])
        case .attribute(.started): .string(run.started.description)
        case .attribute(.ended): .optional(run.seconds.map { run.started.advanced(bySeconds: $0).description })
        case .attribute(.seconds): run.seconds.map { .number($0) } ?? .null
        case .attribute(.exit): run.exit.map { .int($0) } ?? .null
        case .attribute(.dirty): .bool(run.dirty)
        case .attribute: .optional(run.text(operand))
        }
    }
}
