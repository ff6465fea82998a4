public import Base

/// A comparison of numbers: `metrics.auc >= current.metrics.auc - 0.005`.
///
/// Terms are numbers and dotted names, joined by `+` and `-`; one of `>= <= > < == = !=` between the two sides.
public struct GateExpression: Sendable, Equatable {
    enum Term: Sendable, Equatable {
        case number(Double)
        case name(String)
    }

    private static let comparisons = [">=", "<=", "==", "!=", ">", "<", "="]

    public let text: String
    private let comparison: String
    private let sides: [[SignedTerm]]

    struct SignedTerm: Sendable, Equatable {
        let sign: Double
        let term: Term
    }

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
        for comparison in comparisons {
            guard let range = text.firstRange(of: comparison) else { continue }
            let sides = [
                try side(String(text[..<range.lowerBound]), of: text),
                try side(String(text[range.upperBound...]), of: text),
            ]
            return GateExpression(text: text, comparison: comparison, sides: sides)
        }
        throw ParseFailure(text: text, reason: "no comparison stands in it")
    }

    private init(text: String, comparison: String, sides: [[SignedTerm]]) {
        self.text = text
        self.comparison = comparison
        self.sides = sides
    }

    private static func side(_ text: String, of whole: String) throws(ParseFailure) -> [SignedTerm] {
        var terms: [SignedTerm] = []
        var sign: Double? = 1
        for word in text.split(separator: " ") {
            if word == "+" || word == "-" {
                guard sign == nil else { throw ParseFailure(text: whole, reason: "“\(word)” needs a term before it") }
                sign = word == "-" ? -1 : 1
                continue
            }
            guard let current = sign else {
                throw ParseFailure(text: whole, reason: "between terms stands + or - with spaces around it")
            }
            if let number = Double(word) {
                terms.append(SignedTerm(sign: current, term: .number(number)))
            } else if ["metrics.", "current.metrics.", "params."].contains(where: {
                word.hasPrefix($0) && word.count > $0.count
            }), !word.contains(where: { "+*()<>=!'\"".contains($0) }) {
                terms.append(SignedTerm(sign: current, term: .name(String(word))))
            } else {
                throw ParseFailure(
                    text: whole, reason: "“\(word)” is neither a number nor metrics.… or current.metrics.…")
            }
            sign = nil
        }
        guard !terms.isEmpty, sign == nil else { throw ParseFailure(text: whole, reason: "a side of it is empty") }
        return terms
    }

    /// Whether it holds, with both numbers.
    ///
    /// `values` are the candidate's numbers, by `metrics.…` and `params.…`; `current` are those of what is in the stage
    /// now. When that is nil, nothing is there, and what compares with it passes.
    public func evaluate(_ values: [String: Double], current: [String: Double]?) -> GateResult {
        let names = sides.joined().compactMap { if case .name(let name) = $0.term { name } else { nil } }
        // The candidate's own numbers first: one that is missing fails, whatever is in the stage.
        for name in names where !name.hasPrefix("current.") && values[name]?.isNaN != false {
            let state = values[name] == nil ? "missing" : "NaN"
            return GateResult(text: text, isPassed: false, detail: "\(name) is \(state)")
        }
        var numbers = values
        for name in names where name.hasPrefix("current.") {
            guard let current else {
                return GateResult(text: text, isPassed: true, detail: "nothing is in the stage yet")
            }
            guard let value = current[String(name.dropFirst(8))], !value.isNaN else {
                return GateResult(text: text, isPassed: false, detail: "\(name) is missing or NaN")
            }
            numbers[name] = value
        }
        let sums = sides.map { side in
            side.reduce(0.0) { sum, signed in
                switch signed.term {
                case .number(let number): sum + signed.sign * number
                case .name(let name): sum + signed.sign * (numbers[name] ?? .nan)
                }
            }
        }
        let (a, b) = (sums[0], sums[1])
        let passed =
            switch comparison {
            case ">=": a >= b
            case "<=": a <= b
            case ">": a > b
            case "<": a < b
            case "!=": a != b
            default: a == b
            }
        return GateResult(text: text, isPassed: passed, detail: "\(a) against \(b)")
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
