internal import Base
internal import GitKit

/// Tries a condition on a run in memory; nil is SQL's unknown.
struct FilterEvaluation {
    let run: Run
    /// What `current.` means, in a gate.
    var current: Run?
    /// What `best.` means, in a gate.
    var best: Run?

    private func subject(_ source: FilterSource) -> Run? {
        switch source.subject {
        case .candidate: run
        case .current: current
        case .best: best
        }
    }

    func value(_ condition: FilterCondition) -> Bool? {
        switch condition {
        case .and(let conditions): Self.and(conditions.lazy.map { value($0) })
        case .or(let conditions): Self.and(conditions.lazy.map { value($0).map { !$0 } }).map { !$0 }
        case .not(let condition): value(condition).map { !$0 }
        case .numbers(let a, let comparison, let b):
            Self.both(number(a), number(b)).map { comparison.holds($0, $1) }
        case .texts(let a, let comparison, let b):
            Self.both(text(a), text(b)).map { comparison.holds(ByteText($0), ByteText($1)) }
        case .like(let text, let pattern): self.text(text).map { pattern.matches($0) }
        case .numberIn(let number, let choices): self.number(number).map { choices.contains($0) }
        case .textIn(let text, let choices): self.text(text).map { choices.map(ByteText.init).contains(ByteText($0)) }
        case .isMissing(let source): run.isMissing(source.operand)
        }
    }

    /// False when one is false, else unknown when one is unknown.
    static func and(_ values: some Sequence<Bool?>) -> Bool? {
        var result: Bool? = true
        for value in values {
            if value == false { return false }
            if value == nil { result = nil }
        }
        return result
    }

    private static func both<T>(_ a: T?, _ b: T?) -> (T, T)? {
        guard let a, let b else { return nil }
        return (a, b)
    }

    func number(_ number: FilterNumber) -> Double? {
        let value: Double?
        switch number {
        case .literal(let literal): value = literal
        case .value(let source): value = subject(source)?.number(source.operand)
        case .negated(let a): value = self.number(a).map { -$0 }
        case .sum(let a, let b): value = Self.both(self.number(a), self.number(b)).map { $0 + $1 }
        case .difference(let a, let b): value = Self.both(self.number(a), self.number(b)).map { $0 - $1 }
        case .product(let a, let b): value = Self.both(self.number(a), self.number(b)).map { $0 * $1 }
        case .quotient(let a, let b):
            value = Self.both(self.number(a), self.number(b)).flatMap { $1 == 0 ? nil : $0 / $1 }
        }
        return value.flatMap { $0.isNaN ? nil : $0 }
    }

    func text(_ text: FilterText) -> String? {
        switch text {
        case .literal(let literal): literal
        case .value(let source): subject(source)?.text(source.operand)
        }
    }
}

/// A text that is compared by its bytes, as SQLite does; Swift's own order and equality follow Unicode.
struct ByteText: Comparable {
    let text: String
    init(_ text: String) { self.text = text }
    static func == (a: ByteText, b: ByteText) -> Bool { a.text.utf8.elementsEqual(b.text.utf8) }
    static func < (a: ByteText, b: ByteText) -> Bool { a.text.utf8.lexicographicallyPrecedes(b.text.utf8) }
}

extension Run {
    /// The value as a number; nil when there is none, or none that compares.
    func number(_ operand: FilterOperand) -> Double? {
        let value: Double?
        switch operand {
        case .metric(let key): value = metrics[key]?.last
        case .param(let key): value = params[key].flatMap { FilterValue.number($0) }
        case .tag(let key): value = tags[key].flatMap { FilterValue.number($0) }
        case .attribute(.started): value = Double(started.microseconds) / 1000
        case .attribute(.ended): value = seconds.map { Double(started.microseconds) / 1000 + $0 * 1000 }
        case .attribute(.seconds): value = seconds
        case .attribute(.exit): value = exit.map { Double($0) }
        case .attribute(.dirty): value = dirty ? 1 : 0
        case .attribute: value = nil
        }
        return value.flatMap { $0.isNaN ? nil : $0 }
    }

    func text(_ operand: FilterOperand) -> String? {
        switch operand {
        case .metric: nil
        case .param(let key): params[key]
        case .tag(let key): tags[key]
        case .attribute(let attribute):
            switch attribute {
            case .run: id
            case .name: name
            case .experiment: experiment
            case .user: user
            case .host: host
            case .source: source
            case .status: status
            case .commit: commit.hex
            case .parent: parent
            case .started, .ended, .seconds, .exit, .dirty: nil
            }
        }
    }

    func isMissing(_ operand: FilterOperand) -> Bool {
        switch operand {
        case .metric(let key): metrics[key] == nil
        case .attribute(let attribute) where operand.kind != .text: attribute != .dirty && number(operand) == nil
        default: text(operand) == nil
        }
    }
}
