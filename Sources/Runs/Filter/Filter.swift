internal import Base

/// A condition on runs: `metrics.auc > 0.8 and params.kind = 'gbm' and tags.owner like 'a%'`.
///
/// Comparisons (`=` `==` `!=` `<>` `<` `<=` `>` `>=`, `like`, `ilike`, `in`, `is null`) joined by `and`, `or`, `not` and
/// parentheses; arithmetic on numbers. Values are `metrics.K`, `params.K`, `tags.K` and attributes (`status`, `name`,
/// `started`, …); a key with other characters than letters, digits, dots and `_` stands in quotes: `metrics."val loss"`.
///
/// A parameter or tag is a text; compared with a number it counts as the number that it holds. Times are RFC 3339 in
/// quotes or milliseconds since 1970.
///
/// What a run does not have, NaN, a text that is no number and a division by zero make a comparison unknown, as in SQL:
/// `not` of unknown is unknown, `and` with false is false, `or` with true is true, and a run is chosen only when the
/// whole is true. So neither `metrics.auc > 0.8` nor `not metrics.auc > 0.8` chooses a run without `auc`, nor does
/// `metrics.auc != 0.8`; `is null` asks for it.
public struct Filter: Sendable {
    public let text: String
    let condition: FilterCondition

    /// Reads a filter; an error points at the column.
    ///
    /// With `isGate`, `current.metrics.auc` is the value of the run that is in the stage, and `best.metrics.auc` that of
    /// the registered version that is hardest to match.
    public init(_ text: String, isGate: Bool = false) throws {
        self.text = text
        let node = try FilterParser.parse(text, isGate: isGate)
        condition = try FilterTyping(text: text).condition(node)
    }

    /// Whether a run is chosen.
    public func matches(_ run: Run) -> Bool { FilterEvaluation(run: run).value(condition) == true }
}

extension Filter: Equatable {
    public static func == (a: Filter, b: Filter) -> Bool { a.text == b.text }
}
