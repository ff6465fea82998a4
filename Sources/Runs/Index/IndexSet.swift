internal import GRDB

/// The runs that one condition of a filter chooses, found by an index on values.
///
/// Of the conditions that must all hold, the one with the fewest runs leads. Others that choose not many more are made a
/// set as well: looking a value up by run touches a page of the file for each run, the set lies in a few.
struct IndexSet {
    let conjunct: Int
    /// A query for the column `run`.
    let sql: String
    let value: IndexValue
    private var count: Int64 = 0

    /// Counting goes some million a second along the index; more runs than this are not counted.
    private static let limit: Int64 = 30_000

    private init(conjunct: Int, sql: String, value: IndexValue) {
        self.conjunct = conjunct
        self.sql = sql
        self.value = value
    }

    /// The sets that are worth while, the one that leads first; none when no condition can be looked up.
    ///
    /// None either when the latest few are wanted of many: going back from the latest run finds them sooner.
    static func useful(
        for conditions: [FilterCondition], wantsLatest: Bool, _ nameID: (String) throws -> Int64?, _ database: Database
    ) throws -> [IndexSet] {
        var sets = try conditions.enumerated().compactMap { try set($0.element, $0.offset, nameID) }
        guard sets.count > 1 || (wantsLatest && !sets.isEmpty) else { return sets }
        for i in sets.indices {
            let count = try IndexStatement(database, "SELECT count(*) FROM (\(sets[i].sql) LIMIT \(limit))")
            count.bind(1, sets[i].value)
            sets[i].count = try count.next() ? count.int(0) : 0
        }
        sets.sort { $0.count < $1.count }
        let least = sets[0].count
        if wantsLatest {
            let total = try Int64.fetchOne(database, sql: "SELECT max(id) FROM runs") ?? 0
            if least >= min(limit, total / 10) { return [] }
        }
        return [sets[0]] + sets.dropFirst().filter { $0.count < limit && $0.count <= 8 * least }
    }

    private static func set(
        _ condition: FilterCondition, _ place: Int, _ nameID: (String) throws -> Int64?
    ) throws -> IndexSet? {
        let (table, key, comparison, value): (String, String, FilterComparison, IndexValue)
        switch condition {
        case .numbers(.value(let source), let given, let number):
            guard case .metric(let name) = source.operand, let literal = constant(number) else { return nil }
            (table, key, comparison, value) = ("metrics", name, given, .double(literal))
        case .texts(.value(let source), .equal, .literal(let text)):
            switch source.operand {
            case .param(let name): (table, key, comparison, value) = ("params", name, .equal, .text(text))
            case .tag(let name): (table, key, comparison, value) = ("tags", name, .equal, .text(text))
            default: return nil
            }
        default: return nil
        }
        guard comparison != .unequal, let id = try nameID(key) else { return nil }
        return IndexSet(
            conjunct: place,
            sql: "SELECT run FROM \(table) INDEXED BY \(table)_value"
                + " WHERE key = \(id) AND value \(comparison.rawValue) ?",
            value: value)
    }

    private static func constant(_ number: FilterNumber) -> Double? {
        switch number {
        case .literal(let value): value
        case .negated(.literal(let value)): -value
        default: nil
        }
    }
}
