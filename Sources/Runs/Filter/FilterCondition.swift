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

/// Where a value comes from: the run itself, or in a gate what is in the stage now.
struct FilterSource: Hashable, Sendable {
    let operand: FilterOperand
    var isCurrent = false

    var description: String { (isCurrent ? "current." : "") + operand.description }
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
