public import GitKit
public import Runs

/// Tries the gates of a stage against what was recorded.
public struct GateCheck: Sendable {
    private let log: RunLog

    public init(_ log: RunLog) { self.log = log }

    /// One result a gate.
    ///
    /// A kind of gate that this version cannot check fails.
    public func check(_ stage: StageSettings, candidate: ObjectID, current: ObjectID?) throws -> [GateResult] {
        guard let run = try log.run(behind: candidate) else {
            return [GateResult(text: "a recorded run", isPassed: false, detail: "none on \(candidate.short)")]
        }
        let before = try current.flatMap { $0 == candidate ? nil : try log.run(behind: $0) }
        return try stage.gates.map { gate in
            switch gate {
            case .expression(let text):
                try GateExpression.parse(text).evaluate(Self.numbers(run), current: before.map(Self.numbers))
            case .command(let words):
                GateResult(
                    text: words.joined(separator: " "), isPassed: false, detail: "commands are not run by this version")
            case .data(let path, _):
                GateResult(text: "data: \(path)", isPassed: false, detail: "data is not checked by this version")
            }
        }
    }

    private static func numbers(_ run: Run) -> [String: Double] {
        var numbers: [String: Double] = [:]
        for (key, value) in run.values { numbers["metrics." + key] = value }
        for (key, text) in run.params { numbers["params." + key] = Double(text) }
        return numbers
    }
}
