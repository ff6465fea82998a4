public import GitKit
public import Runs

/// Tries the gates of a stage against what was recorded.
public struct GateCheck: Sendable {
    private let store: RunStore

    public init(_ store: RunStore) { self.store = store }

    /// One result a gate.
    ///
    /// `path` is where the model lies: the run that made it there is judged, with the metrics that are the model's own.
    /// A kind of gate that this version cannot check fails.
    public func check(
        _ stage: StageSettings, model: ModelName, path: String? = nil, candidate: ObjectID, current: ObjectID?
    ) throws -> [GateResult] {
        let run: Run
        do {
            guard let found = try store.run(behind: candidate, path: path) else {
                return [GateResult(text: "a recorded run", isPassed: false, detail: "none on \(candidate.short)")]
            }
            run = found.seen(by: model.description)
        } catch let failure as DisagreeingRuns {
            return [GateResult(text: "one recorded run", isPassed: false, detail: "\(failure)")]
        }
        let before = try current.flatMap {
            $0 == candidate ? nil : try store.run(behind: $0, path: path)?.seen(by: model.description)
        }
        return try stage.gates.map { gate in
            switch gate {
            case .expression(let text): try GateExpression.parse(text).evaluate(run, current: before)
            case .command(let words):
                GateResult(
                    text: words.joined(separator: " "), isPassed: false, detail: "commands are not run by this version")
            case .data(let path, _):
                GateResult(text: "data: \(path)", isPassed: false, detail: "data is not checked by this version")
            }
        }
    }
}
