public import Base
public import Runs

/// A gate in the filter language: `metrics.auc >= 0.9 and metrics.auc >= current.metrics.auc - 0.005`.
///
/// `current.` names the run behind what is in the stage now.
public struct GateExpression: Sendable, Equatable {
    public let text: String
    private let filter: Filter

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
            return GateExpression(text: text, filter: try Filter(text, allowsCurrent: true))
        } catch {
            throw ParseFailure(text: text, reason: "\(error)")
        }
    }

    private init(text: String, filter: Filter) {
        self.text = text
        self.filter = filter
    }

    /// Whether it holds for a candidate, with the values that it saw.
    ///
    /// A value that is missing or NaN fails. When `current` is nil nothing is in the stage, and what compares with it passes.
    public func evaluate(_ candidate: Run, current: Run?) -> GateResult {
        let verdict = filter.verdict(on: candidate, current: current)
        return GateResult(text: text, isPassed: verdict.holds, detail: verdict.details.joined(separator: ", "))
    }
}

/// What a gate said.
public struct GateResult: Sendable, Equatable {
    public let text: String
    public let isPassed: Bool
    public let detail: String

    /// One line for logs and tables.
    public var line: String { "\(isPassed ? "pass" : "fail"): \(text) (\(detail))" }
}
