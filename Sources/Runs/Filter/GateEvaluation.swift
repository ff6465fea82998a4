internal import Base

/// What a gate compares a candidate with.
public struct GateReferences: Sendable {
    /// What is in the stage now.
    public enum Current: Sendable {
        case nothing
        /// Something is there, and no run can be told of it: what compares with it fails.
        case unknown(reason: String)
        case run(Run)
    }

    public var current: Current
    /// The runs behind the registered versions of the model, the candidate's own version left out; nil where none is known.
    public var versions: [(label: String, run: Run?)]

    public init(current: Current = .nothing, versions: [(label: String, run: Run?)] = []) {
        self.current = current
        self.versions = versions
    }
}

extension Filter {
    /// What a gate says of a candidate, and why.
    public struct Verdict: Sendable, Equatable {
        /// The two numbers of a comparison.
        public struct Numbers: Sendable, Equatable {
            public let value: Double
            public let limit: Double
        }

        public let holds: Bool
        /// The values behind each comparison: `0.8598 against 0.95`.
        public let details: [String]
        /// The numbers behind each comparison of numbers.
        public let numbers: [Numbers]
    }

    /// Whether a gate names a kind of reference: `current` or `best`.
    public var usesCurrent: Bool { uses(.current) }
    public var usesBest: Bool { uses(.best) }

    private func uses(_ subject: FilterSource.Subject) -> Bool {
        condition.sources.contains { $0.subject == subject }
    }

    /// What a gate asks of the candidate.
    public struct Asked: Sendable, Equatable {
        public var metrics: Set<String> = []
        public var params: Set<String> = []
        /// Tags and attributes, as a filter writes them.
        public var others: Set<String> = []

        public init() {}

        public mutating func add(_ other: Asked) {
            metrics.formUnion(other.metrics)
            params.formUnion(other.params)
            others.formUnion(other.others)
        }
    }

    /// The values of the candidate that it asks for.
    public var asked: Asked {
        var asked = Asked()
        for source in condition.sources where source.subject == .candidate {
            switch source.operand {
            case .metric(let key): asked.metrics.insert(key)
            case .param(let key): asked.params.insert(key)
            case .tag, .attribute: asked.others.insert(source.description)
            }
        }
        return asked
    }

    /// Tries a gate: a filter on the candidate that may compare with what is in the stage and with registered versions.
    ///
    /// A value that is missing or NaN fails the comparison that needs it. When nothing is in the stage, what compares with
    /// `current.` holds, under `not` too, once the candidate's own values are there; so does what compares with `best.`
    /// when no version is registered. `best.` stands for the version that makes the comparison hardest to hold: the one
    /// with the most where at least so much is asked for, with the least where at most. Versions without the value are
    /// passed over; when none has it the comparison fails.
    public func verdict(on candidate: Run, against references: GateReferences) -> Verdict {
        var evaluation = GateEvaluation(candidate: candidate, references: references)
        let holds = evaluation.value(condition, isNegated: false) == true
        return Verdict(holds: holds, details: evaluation.details, numbers: evaluation.numbers)
    }
}

extension FilterCondition {
    /// All values of runs that it asks for.
    var sources: [FilterSource] {
        switch self {
        case .and(let conditions), .or(let conditions): conditions.flatMap(\.sources)
        case .not(let condition): condition.sources
        case .numbers(let a, _, let b): a.sources + b.sources
        case .texts(let a, _, let b): a.sources + b.sources
        case .like(let text, _), .textIn(let text, _): text.sources
        case .numberIn(let number, _): number.sources
        case .isMissing(let source): [source]
        }
    }
}

/// Tries a gate and keeps what it saw.
private struct GateEvaluation {
    let candidate: Run
    let references: GateReferences
    var details: [String] = []
    var numbers: [Filter.Verdict.Numbers] = []

    init(candidate: Run, references: GateReferences) {
        self.candidate = candidate
        self.references = references
    }

    private var current: Run? { if case .run(let run) = references.current { run } else { nil } }

    mutating func value(_ condition: FilterCondition, isNegated: Bool) -> Bool? {
        switch condition {
        case .and(let conditions): return FilterEvaluation.and(values(conditions, isNegated))
        case .or(let conditions):
            return FilterEvaluation.and(values(conditions, isNegated).map { $0.map { !$0 } }).map { !$0 }
        case .not(let inner): return value(inner, isNegated: !isNegated).map { !$0 }
        case .isMissing(let source): return isMissing(source, isNegated)
        case .numbers(let a, let comparison, let b): return compare(a, comparison, b, isNegated)
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
        let run: Run
        switch (source.subject, references.current) {
        case (.candidate, _): run = candidate
        case (_, .run(let current)): run = current
        case (_, .nothing):
            details.append("nothing is in the stage yet")
            return !isNegated
        case (_, .unknown(let reason)):
            details.append(reason)
            return nil
        }
        let isMissing = run.isMissing(source.operand)
        details.append("\(source.description) is \(isMissing ? "missing" : "there")")
        return isMissing
    }

    private mutating func leaf(
        _ sources: [FilterSource], _ isNegated: Bool, _ body: (FilterEvaluation) -> (String, Bool?)
    ) -> Bool? {
        if let early = settled(sources) { return early == .holds ? !isNegated : nil }
        let (detail, value) = body(FilterEvaluation(run: candidate, current: current))
        details.append(detail)
        return value
    }

    private mutating func compare(
        _ a: FilterNumber, _ comparison: FilterComparison, _ b: FilterNumber, _ isNegated: Bool
    ) -> Bool? {
        let sources = a.sources + b.sources
        if let early = settled(sources) { return early == .holds ? !isNegated : nil }
        let wanted = sources.filter { $0.subject == .best }
        var rivals: [(label: String?, run: Run?)] = [(nil, nil)]
        if !wanted.isEmpty {
            if references.versions.isEmpty {
                details.append("no version is registered yet")
                return !isNegated
            }
            rivals = references.versions.filter { version in
                guard let run = version.run else { return false }
                return wanted.allSatisfy { problem($0, in: run) == nil }
            }
            if rivals.isEmpty {
                let names = Set(wanted.map(\.operand.description)).sorted().joined(separator: " and ")
                details.append("none of \(references.versions.count) registered version(s) has \(names)")
                return nil
            }
        }
        let isUpward = (comparison == .greater || comparison == .greaterOrEqual) != isNegated
        var hardest: (label: String?, x: Double, y: Double)?
        for rival in rivals {
            let evaluation = FilterEvaluation(run: candidate, current: current, best: rival.run)
            guard let x = evaluation.number(a), let y = evaluation.number(b) else { continue }
            if let best = hardest, isUpward ? x - y >= best.x - best.y : y - x >= best.y - best.x { continue }
            hardest = (rival.label, x, y)
        }
        guard let hardest else {
            details.append("no number")
            return nil
        }
        details.append("\(hardest.x) against \(hardest.y)" + (hardest.label.map { " (\($0))" } ?? ""))
        numbers.append(Filter.Verdict.Numbers(value: hardest.x, limit: hardest.y))
        return comparison.holds(hardest.x, hardest.y)
    }

    /// What a comparison is without being made.
    private enum Settled { case holds, unknown }

    /// What missing values and an empty stage decide by themselves; nil when there is something to compare.
    private mutating func settled(_ sources: [FilterSource]) -> Settled? {
        // The candidate's own values first: one that is missing fails, whatever is in the stage.
        for source in sources where source.subject == .candidate {
            if let problem = problem(source, in: candidate) {
                details.append(problem)
                return .unknown
            }
        }
        for source in sources where source.subject == .current {
            switch references.current {
            case .nothing:
                details.append("nothing is in the stage yet")
                return .holds
            case .unknown(let reason):
                details.append(reason)
                return .unknown
            case .run(let run):
                guard let problem = problem(source, in: run) else { continue }
                details.append(problem)
                return .unknown
            }
        }
        return nil
    }

    /// Why a value cannot be compared.
    private func problem(_ source: FilterSource, in run: Run) -> String? {
        guard case .metric(let key) = source.operand else {
            return run.isMissing(source.operand) ? "\(source.description) is missing" : nil
        }
        if run.metrics[key]?.last.isNaN == true { return "\(source.description) is NaN" }
        guard run.isMissing(source.operand) else { return nil }
        let nearest = Spelling.nearest(to: key, in: run.metrics.keys.sorted())
        return "\(source.description) is missing"
            + (nearest.map { "; did you mean \(FilterOperand.metric($0).description)?" } ?? "")
    }
}
