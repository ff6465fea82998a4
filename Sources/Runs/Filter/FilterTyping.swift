internal import Base

/// Makes conditions of what a filter says; an error says where the types do not agree.
struct FilterTyping {
    typealias Node = FilterParser.Node
    let text: String

    private func failure(_ node: Node, _ reason: String) -> FilterFailure {
        FilterFailure(text: text, column: node.column, reason: reason)
    }

    func condition(_ node: Node) throws(FilterFailure) -> FilterCondition {
        switch node.term {
        case .and(let nodes): return .and(try conditions(nodes))
        case .or(let nodes): return .or(try conditions(nodes))
        case .not(let inner): return .not(try condition(inner))
        case .comparison(let comparison, let left, let right):
            return try ordered(try compare(comparison, left, right), node)
        case .like(let left, let pattern): return try ordered(.like(try self.text(left), pattern), node)
        case .isIn(let left, let choices): return try ordered(try isIn(left, choices), node)
        case .isNull(let inner):
            guard case .value(let source) = inner.term else {
                throw failure(inner, "only a value of a run can be null")
            }
            return try ordered(.isMissing(source), node)
        case .value(let source) where source.operand.kind == .truth:
            return .numbers(.value(source), .equal, .literal(1))
        case .number, .text, .truth, .value, .negated, .arithmetic:
            throw failure(node, "a comparison is missing: write it like metrics.auc > 0.8")
        }
    }

    /// Which version is the best one shows in the direction of the comparison: `best.` needs one.
    private func ordered(_ condition: FilterCondition, _ node: Node) throws(FilterFailure) -> FilterCondition {
        let isOrdered: Bool
        let sources: [FilterSource]
        switch condition {
        case .numbers(let a, let comparison, let b):
            isOrdered = comparison != .equal && comparison != .unequal
            sources = a.sources + b.sources
        case .texts(let a, _, let b): (isOrdered, sources) = (false, a.sources + b.sources)
        case .like(let text, _), .textIn(let text, _): (isOrdered, sources) = (false, text.sources)
        case .numberIn(let number, _): (isOrdered, sources) = (false, number.sources)
        case .isMissing(let source): (isOrdered, sources) = (false, [source])
        case .and, .or, .not: return condition
        }
        guard isOrdered || !sources.contains(where: { $0.subject == .best }) else {
            throw failure(node, "“best.” is a number that is compared with <, <=, > or >=")
        }
        return condition
    }

    private func conditions(_ nodes: [Node]) throws(FilterFailure) -> [FilterCondition] {
        var conditions: [FilterCondition] = []
        for node in nodes { conditions.append(try condition(node)) }
        return conditions
    }

    /// How a side wants to be compared; nil for a text in quotes and for what can be both.
    private func kind(_ node: Node) -> FilterOperand.Kind? {
        switch node.term {
        case .number, .negated, .arithmetic: .number
        case .truth: .truth
        case .value(let source): source.operand.kind == .flexible ? nil : source.operand.kind
        default: nil
        }
    }

    private func compare(_ comparison: FilterComparison, _ a: Node, _ b: Node) throws(FilterFailure) -> FilterCondition
    {
        switch kind(a) ?? kind(b) {
        case nil, .text, .flexible:
            if case .value(let source) = a.term, source.operand == .attribute(.status) {
                return .texts(try text(a), comparison, try status(b))
            }
            if case .value(let source) = b.term, source.operand == .attribute(.status) {
                return .texts(try status(a), comparison, try text(b))
            }
            return .texts(try text(a), comparison, try text(b))
        case .time: return .numbers(try time(a), comparison, try time(b))
        case .number where kind(b) == .time: return .numbers(try time(a), comparison, try time(b))
        case .number, .truth: return .numbers(try number(a), comparison, try number(b))
        }
    }

    private func isIn(_ left: Node, _ choices: [Node]) throws(FilterFailure) -> FilterCondition {
        let asNumbers: Bool
        switch kind(left) {
        case .number, .time, .truth: asNumbers = true
        case .text: asNumbers = false
        default: asNumbers = choices.contains { kind($0) != nil }
        }
        if asNumbers {
            var values: [Double] = []
            for choice in choices {
                switch kind(left) == .time ? try time(choice) : try number(choice) {
                case .literal(let value): values.append(value)
                case .negated(.literal(let value)): values.append(-value)
                default: throw failure(choice, "a list holds numbers or texts only")
                }
            }
            return .numberIn(try number(left), values)
        }
        var texts: [String] = []
        var isStatus = false
        if case .value(let source) = left.term { isStatus = source.operand == .attribute(.status) }
        for choice in choices {
            guard case .literal(let text) = isStatus ? try status(choice) : try self.text(choice) else {
                throw failure(choice, "a list holds numbers or texts only")
            }
            texts.append(text)
        }
        return .textIn(try text(left), texts)
    }

    private func number(_ node: Node) throws(FilterFailure) -> FilterNumber {
        switch node.term {
        case .number(let value): return .literal(value)
        case .truth(let value): return .literal(value ? 1 : 0)
        case .value(let source):
            guard source.operand.kind != .text else {
                throw failure(node, "\(source.description) is a text and cannot be compared with a number")
            }
            return .value(source)
        case .negated(let inner): return .negated(try number(inner))
        case .arithmetic(let symbol, let a, let b):
            let (a, b) = (try number(a), try number(b))
            switch symbol {
            case "+": return .sum(a, b)
            case "-": return .difference(a, b)
            case "*": return .product(a, b)
            default: return .quotient(a, b)
            }
        case .text(let text):
            let advice = Double(text) == nil ? "" : ": write it without quotes"
            throw failure(node, "a number is needed here, not the text '\(text)'\(advice)")
        default: throw failure(node, "a number is needed here, not a condition")
        }
    }

    /// A time: milliseconds since 1970, or RFC 3339 in quotes; a date alone is its midnight, in UTC.
    private func time(_ node: Node) throws(FilterFailure) -> FilterNumber {
        guard case .text(let text) = node.term else { return try number(node) }
        guard let time = Timestamp(text) ?? Timestamp(text + "T00:00:00Z") else {
            throw failure(node, "'\(text)' is no time such as 2026-11-23T15:04:05Z or 2026-11-23")
        }
        return .literal(Double(time.microseconds) / 1000)
    }

    private func text(_ node: Node) throws(FilterFailure) -> FilterText {
        switch node.term {
        case .text(let text): return .literal(text)
        case .value(let source):
            switch source.operand.kind {
            case .text, .flexible: return .value(source)
            default: throw failure(node, "\(source.description) is no text")
            }
        case .number, .negated, .arithmetic, .truth: throw failure(node, "a text is needed here: put it in quotes")
        default: throw failure(node, "a text is needed here, not a condition")
        }
    }

    /// MLflow writes `FINISHED`.
    private func status(_ node: Node) throws(FilterFailure) -> FilterText {
        let value = try text(node)
        if case .literal(let word) = value { return .literal(word.lowercased()) }
        return value
    }
}
