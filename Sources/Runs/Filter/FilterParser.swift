/// Reads the words of a filter, loosest binding first: `or`, `and`, `not`, comparisons, `+ -`, `* /`, `-`.
struct FilterParser {
    /// What the words say; whether the types agree is seen later.
    indirect enum Term: Sendable {
        case number(Double)
        case text(String)
        case truth(Bool)
        case value(FilterSource)
        case negated(Node)
        case arithmetic(String, Node, Node)
        case comparison(FilterComparison, Node, Node)
        case like(Node, LikePattern)
        case isIn(Node, [Node])
        case isNull(Node)
        case not(Node)
        case and([Node])
        case or([Node])
    }

    struct Node: Sendable {
        let term: Term
        let column: Int
    }

    /// SQLite's own limit on nested expressions is 1000.
    private static let limit = 400

    private let text: String
    private let isGate: Bool
    private let tokens: [FilterToken]
    private var at = 0
    private var depth = 0

    static func parse(_ text: String, isGate: Bool) throws(FilterFailure) -> Node {
        var parser = FilterParser(
            text: text, isGate: isGate, tokens: try FilterLexer.tokens(text))
        let node = try parser.either()
        guard case .end = parser.token.kind else {
            throw parser.failure("\(parser.token.shown) is not expected here: and, or, or the end is")
        }
        return node
    }

    private init(text: String, isGate: Bool, tokens: [FilterToken]) {
        self.text = text
        self.isGate = isGate
        self.tokens = tokens
    }

    private var token: FilterToken { tokens[min(at, tokens.count - 1)] }

    private func failure(_ reason: String, at column: Int? = nil) -> FilterFailure {
        FilterFailure(text: text, column: column ?? token.column, reason: reason)
    }

    private mutating func take(_ kind: FilterToken.Kind) -> Bool {
        guard token.kind == kind else { return false }
        at += 1
        return true
    }

    private mutating func nested<T>(_ body: (inout FilterParser) throws(FilterFailure) -> T) throws(FilterFailure) -> T
    {
        depth += 1
        defer { depth -= 1 }
        guard depth < 100 else { throw failure("it is nested too deeply") }
        return try body(&self)
    }

    private mutating func either() throws(FilterFailure) -> Node {
        try list("or", Term.or) { parser throws(FilterFailure) in try parser.both() }
    }

    private mutating func both() throws(FilterFailure) -> Node {
        try list("and", Term.and) { parser throws(FilterFailure) in try parser.negation() }
    }

    private mutating func list(
        _ word: String, _ join: ([Node]) -> Term, _ item: (inout FilterParser) throws(FilterFailure) -> Node
    ) throws(FilterFailure) -> Node {
        let column = token.column
        var nodes = [try item(&self)]
        while take(.keyword(word)) {
            nodes.append(try item(&self))
            guard nodes.count <= Self.limit else { throw failure("it has more than \(Self.limit) conditions") }
        }
        return nodes.count == 1 ? nodes[0] : Node(term: join(nodes), column: column)
    }

    private mutating func negation() throws(FilterFailure) -> Node {
        let column = token.column
        guard take(.keyword("not")) else { return try condition() }
        return try nested { parser throws(FilterFailure) in Node(term: .not(try parser.negation()), column: column) }
    }

    private mutating func condition() throws(FilterFailure) -> Node {
        let left = try sum()
        let place = token.column
        if case .symbol(let symbol) = token.kind, let comparison = FilterComparison(symbol: symbol) {
            at += 1
            let node = Node(term: .comparison(comparison, left, try sum()), column: place)
            if case .symbol(let next) = token.kind, FilterComparison(symbol: next) != nil {
                throw failure("comparisons are joined by and or or")
            }
            return node
        }
        if take(.keyword("is")) {
            let isNot = take(.keyword("not"))
            guard take(.keyword("null")) else { throw failure("after is stands null or not null, not \(token.shown)") }
            return wrapped(.isNull(left), isNot, place)
        }
        let isNot = take(.keyword("not"))
        if take(.keyword("in")) { return wrapped(.isIn(left, try choices()), isNot, place) }
        for (word, ignoresCase) in [("like", false), ("ilike", true)] where take(.keyword(word)) {
            guard case .text(let pattern) = token.kind else {
                throw failure("after \(word) stands a pattern in quotes, not \(token.shown)")
            }
            at += 1
            return wrapped(.like(left, LikePattern(pattern, ignoresCase: ignoresCase)), isNot, place)
        }
        if isNot { throw failure("after not stands in, like or ilike here, not \(token.shown)") }
        return left
    }

    private func wrapped(_ term: Term, _ isNot: Bool, _ column: Int) -> Node {
        let node = Node(term: term, column: column)
        return isNot ? Node(term: .not(node), column: column) : node
    }

    private mutating func choices() throws(FilterFailure) -> [Node] {
        guard take(.symbol("(")) else { throw failure("after in stands a list such as ('a', 'b'), not \(token.shown)") }
        var choices: [Node] = []
        repeat {
            choices.append(try negative())
            guard choices.count <= 10_000 else { throw failure("the list has more than 10000 values") }
        } while take(.symbol(","))
        guard take(.symbol(")")) else {
            throw failure("the list is not closed: a , or ) is missing before \(token.shown)")
        }
        return choices
    }

    private mutating func sum() throws(FilterFailure) -> Node {
        try chain(["+", "-"]) { parser throws(FilterFailure) in
            try parser.chain(["*", "/"]) { parser throws(FilterFailure) in try parser.negative() }
        }
    }

    private mutating func chain(
        _ symbols: Set<String>, _ item: (inout FilterParser) throws(FilterFailure) -> Node
    ) throws(FilterFailure) -> Node {
        var node = try item(&self)
        var count = 0
        while case .symbol(let symbol) = token.kind, symbols.contains(symbol) {
            let column = token.column
            at += 1
            count += 1
            guard count <= 100 else { throw failure("it has more than 100 terms") }
            node = Node(term: .arithmetic(symbol, node, try item(&self)), column: column)
        }
        return node
    }

    private mutating func negative() throws(FilterFailure) -> Node {
        let column = token.column
        guard take(.symbol("-")) else { return try primary() }
        return try nested { parser throws(FilterFailure) in Node(term: .negated(try parser.negative()), column: column)
        }
    }

    private mutating func primary() throws(FilterFailure) -> Node {
        let column = token.column
        switch token.kind {
        case .number(let value): at += 1; return Node(term: .number(value), column: column)
        case .text(let text): at += 1; return Node(term: .text(text), column: column)
        case .keyword("true"), .keyword("false"):
            defer { at += 1 }
            return Node(term: .truth(token.kind == .keyword("true")), column: column)
        case .name(let name, let key):
            at += 1
            return Node(term: .value(try source(name, key, column)), column: column)
        case .symbol("("):
            at += 1
            let node = try nested { parser throws(FilterFailure) in try parser.either() }
            guard take(.symbol(")")) else { throw failure("a ) is missing before \(token.shown)") }
            return node
        default: throw failure("a value is missing before \(token.shown)")
        }
    }

    private func source(_ name: String, _ key: String?, _ column: Int) throws(FilterFailure) -> FilterSource {
        var (name, subject) = (name, FilterSource.Subject.candidate)
        for other in FilterSource.Subject.allCases where name.lowercased().hasPrefix(other.rawValue + ".") {
            guard isGate else { throw failure("“\(other.rawValue).” means something in a gate only", at: column) }
            name = String(name.dropFirst(other.rawValue.utf8.count + 1))
            subject = other
            break
        }
        switch FilterOperand.read(name, quotedKey: key) {
        case .success(let operand): return FilterSource(operand: operand, subject: subject)
        case .failure(let problem): throw failure(problem.reason, at: column)
        }
    }
}
