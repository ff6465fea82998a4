public import Base
public import Runs

/// A gate in the filter language: `metrics.auc >= 0.9 and metrics.auc >= current.metrics.auc - 0.005`.
///
/// `current.` names the run behind what is in the stage now, `best.` the registered version that is hardest to match.
public struct GateExpression: Sendable, Equatable {
    public let text: String
    let filter: Filter

    /// A gate that cannot be read.
    public struct ParseFailure: Failure, Equatable {
        public let text: String
        public let reason: String
        public var kind: FailureKind { .user }
        public var description: String { "the gate “\(text)” cannot be read: \(reason)" }
        public var hints: [String] {
            ["write it like metrics.auc >= 0.9 or metrics.auc >= current.metrics.auc - 0.005"]
        }
    }

    /// Reads an expression.
    public static func parse(_ text: String) throws(ParseFailure) -> GateExpression {
        do {
            return GateExpression(text: text, filter: try Filter(text, isGate: true))
        } catch {
            throw ParseFailure(text: text, reason: "\(error)")
        }
    }

    private init(text: String, filter: Filter) {
        self.text = text
        self.filter = filter
    }

    /// Whether it holds for a candidate, with the values that it saw; a value that is missing or NaN fails.
    public func evaluate(_ candidate: Run, against references: GateReferences = GateReferences()) -> GateResult {
        let verdict = filter.verdict(on: candidate, against: references)
        var result = GateResult(.expression, text, isPassed: verdict.holds, verdict.details.joined(separator: ", "))
        result.numbers = verdict.numbers
        return result
    }
}
