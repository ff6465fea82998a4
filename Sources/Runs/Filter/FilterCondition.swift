/// What a filter means, once its words have been read and its types agree.
indirect enum FilterCondition: Sendable {
    case and([FilterCondition])
    case or([FilterCondition])
    case not(FilterCondition)
    case numbers(FilterNumber, FilterComparison, FilterNumber)
    case texts(FilterText, FilterComparison, FilterText)
    case like(FilterText, LikePattern)
    case numberIn(FilterNumber, [Double])
    case textIn(FilterText, [String])
    case isMissing(FilterSource)
}

enum FilterComparison: String, Sendable {
    case equal = "="
    case unequal = "<>"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="

    init?(symbol: String) {
        switch symbol {
        case "==": self = .equal
        case "!=": self = .unequal
        default: self.init(rawValue: symbol)
        }
    }

    func holds<T: Comparable>(_ a: T, _ b: T) -> Bool {
        switch self {
        case .equal: a == b
        case .unequal: a != b
        case .less: a < b
        case .lessOrEqual: a <= b
        case .greater: a > b
        case .greaterOrEqual: a >= b
        }
    }
}

/// Where a value comes from: the run itself, or in a gate what the run is compared with.
struct FilterSource: Hashable, Sendable {
    enum Subject: String, CaseIterable, Sendable {
        /// The run that is judged.
        case candidate
        /// What is in the stage now.
        case current
        /// The registered version that is hardest to match.
        case best
    }

    let operand: FilterOperand
    var subject = Subject.candidate

    var description: String { (subject == .candidate ? "" : subject.rawValue + ".") + operand.description }
}

indirect enum FilterNumber: Sendable {
    case literal(Double)
    case value(FilterSource)
    case negated(FilterNumber)
    case sum(FilterNumber, FilterNumber)
    case difference(FilterNumber, FilterNumber)
    case product(FilterNumber, FilterNumber)
    case quotient(FilterNumber, FilterNumber)
}

enum FilterText: Sendable {
    case literal(String)
    case value(FilterSource)
}

extension FilterNumber {
    /// All values of runs that it is made of.
    var sources: [FilterSource] {
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
    var sources: [FilterSource] { if case .value(let source) = self { [source] } else { [] } }
}
