internal import Base

extension Filter {
    /// What a gate says of a candidate, and why.
    public struct Verdict: Sendable, Equatable {
        public let holds: Bool
        /// The values behind each comparison: `0.8598 against 0.95`.
        public let details: [String]
    }

    /// Tries a gate: a filter on the candidate that may compare with `current`, the run that is in the stage now.
    ///
    /// A value that is missing or NaN fails the comparison that needs it. When nothing is in the stage, what compares with
    /// it holds, under `not` too, once the candidate's own values are there.
    public func verdict(on candidate: Run, current: Run?) -> Verdict {
        var evaluation = GateEvaluation(candidate: candidate, current: current)
        let holds = evaluation.value(condition, isNegated: false) == true
        return Verdict(holds: holds, details: evaluation.details)
    }
}

/// Tries a gate and keeps what it saw.
private struct GateEvaluation {
    let candidate: Run
    let current: Run?
    var details: [String] = []

    mutating func value(_ condition: FilterCondition, isNegated: Bool) -> Bool? {
        switch condition {
        case .and(let conditions): return FilterEvaluation.and(values(conditions, isNegated))
        case .or(let conditions):
            return FilterEvaluation.and(values(conditions, isNegated).map { $0.map { !$0 } }).map { !$0 }
        case .not(let inner): return value(inner, isNegated: !isNegated).map { !$0 }
        case .isMissing(let source): return isMissing(source, isNegated)
        case .numbers(let a, let comparison, let b):
            return leaf(a.sources + b.sources, isNegated) { evaluation in
                guard let x = evaluation.number(a), let y = evaluation.number(b) else { return ("no number", nil) }
                return ("\(x) against \(y)", comparison.holds(x, y))
            }
        case .texts(let a, let comparison, let b):
            return leaf(a.sources + b.sources, isNegated) { evaluation in
                guard let x = evaluation.text(a), let y = evaluation.text(b) else { return ("no text", nil) }
                return ("“\(x)” against “\(y)”", comparison.holds(ByteText(x), ByteText(y)))
            }
        case .like(let text, let pattern):
            return leaf(text.sources, isNegated) { evaluation in
                guard let x = evaluation.text(text) else { return ("no text", nil) }
                return ("“\(x)” against “\(pattern.text)”", pattern.matches(x))
            }
        case .numberIn(let number, let choices):
            return leaf(number.sources, isNegated) { evaluation in
                guard let x = evaluation.number(number) else { return ("no number", nil) }
                return ("\(x)", choices.contains(x))
            }
        case .textIn(let text, let choices):
            return leaf(text.sources, isNegated) { evaluation in
                guard let x = evaluation.text(text) else { return ("no text", nil) }
                return ("“\(x)”", choices.map(ByteText.init).contains(ByteText(x)))
            }
        }
    }

    private mutating func values(_ conditions: [FilterCondition], _ isNegated: Bool) -> [Bool?] {
        var values: [Bool?] = []
        for condition in conditions { values.append(value(condition, isNegated: isNegated)) }
        return values
    }

    private mutating func isMissing(_ source: FilterSource, _ isNegated: Bool) -> Bool? {
        guard let run = source.isCurrent ? current : candidate else {
            details.append("nothing is in the stage yet")
            return !isNegated
        }
        let isMissing = run.isMissing(source.operand)
        details.append("\(source.description) is \(isMissing ? "missing" : "there")")
        return isMissing
    }

    private mutating func leaf(
        _ sources: [FilterSource], _ isNegated: Bool, _ body: (FilterEvaluation) -> (String, Bool?)
    ) -> Bool? {
        // The candidate's own values first: one that is missing fails, whatever is in the stage.
        for source in sources where !source.isCurrent {
            if let problem = problem(source, in: candidate) {
                details.append(problem)
                return nil
            }
        }
        for source in sources where source.isCurrent {
            guard let current else {
                details.append("nothing is in the stage yet")
                return !isNegated
            }
            if let problem = problem(source, in: current) {
                details.append(problem)
                return nil
            }
        }
        let (detail, value) = body(FilterEvaluation(run: candidate, current: current))
        details.append(detail)
        return value
    }

    /// Why a value cannot be compared.
    private func problem(_ source: FilterSource, in run: Run) -> String? {
        if run.isMissing(source.operand) { return "\(source.description) is missing" }
        if case .metric(let key) = source.operand, run.metrics[key]?.last.isNaN == true {
            return "\(source.description) is NaN"
        }
        return nil
    }
}

extension FilterNumber {
    /// All values of runs that it is made of.
    fileprivate var sources: [FilterSource] {
        switch self {
        case .literal: []
        case .value(let source): [source]
        case .negated(let a): a.sources
        case .sum(let a, let b), .difference(let a, let b), .product(let a, let b), .quotient(let a, let b):
            a.sources + b.sources
        }
    }
}

extension FilterText {
    fileprivate var sources: [FilterSource] { if case .value(let source) = self { [source] } else { [] } }
}
