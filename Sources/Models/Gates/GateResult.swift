public import Base
public import Runs

/// What a gate said.
public struct GateResult: Sendable, Equatable {
    public enum Kind: String, Sendable {
        /// That there is one run to judge.
        case run
        case expression, evidence, command, data
    }

    public let kind: Kind
    /// The gate as `ml.yaml` has it.
    public let text: String
    public let isPassed: Bool
    /// What it saw: the numbers, the exit status, the rows that are wrong.
    public let detail: String
    /// Value and limit of each comparison of numbers.
    public var numbers: [Filter.Verdict.Numbers] = []
    /// More lines for people: the end of a command's output, the errors in a table.
    public var lines: [String] = []
    /// A command's output, as content (``KeptObjects``).
    public var log: Digest?
    public var seconds: Double?

    public init(_ kind: Kind, _ text: String, isPassed: Bool, _ detail: String) {
        self.kind = kind
        self.text = text
        self.isPassed = isPassed
        self.detail = detail
    }

    /// One line for logs and tables.
    public var line: String { "\(isPassed ? "pass" : "fail"): \(text) (\(detail))" }

    /// One object as `git ml gate --json` prints it.
    public var json: JSON {
        [
            "gate": .string(text), "kind": .string(kind.rawValue), "passed": .bool(isPassed),
            "values": .array(numbers.map { ["value": .number($0.value), "limit": .number($0.limit)] }),
            "detail": .string(detail), "lines": .array(lines.map { .string($0) }),
            "log": .optional(log?.description), "seconds": seconds.map { .double($0) } ?? .null,
        ]
    }
}
