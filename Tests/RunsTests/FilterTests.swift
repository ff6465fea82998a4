import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct FilterTests {
    static let run: Run = {
        var run = Run(
            id: "0193590a6b3d7c21a8f04d1e2b6c9f10", commit: .emptyTree, started: Timestamp(seconds: 1_700_000_000))
        run.name = "gbm-3"
        run.user = "ann"
        run.status = "finished"
        run.seconds = 12.5
        run.dirty = true
        run.params = ["lr": "0.1", "kind": "GBM", "model.depth": "4", "with space": "x"]
        run.tags = ["owner": "ann", "it's": "1"]
        run.metrics = ["auc": 0.86, "nan": .nan, "val loss": 0.5, "inf": .infinity].mapValues {
            MetricSummary(last: $0, min: $0, max: $0)
        }
        return run
    }()

    @Test(arguments: [
        ("metrics.auc > 0.8", true), ("metrics.auc>.8 AND params.kind='GBM'", true), ("metrics.auc >= 0.86", true),
        ("metrics.auc <> 0.86", false), ("metric.auc == 0.86", true), ("metrics.\"val loss\" < 1", true),
        ("metrics.`val loss` < 1", true), ("params.\"with space\" = 'x'", true), ("params.lr = 0.1", true),
        ("params.lr = '0.10'", false), ("params.lr < 0.2", true), ("params.kind > 1", false),
        ("params.kind = 'gbm'", false),
        ("params.kind ilike 'g%'", true), ("params.kind like 'g%'", false), ("params.kind like '_B_'", true),
        ("params.model.depth in (3, 4)", true), ("params.kind in ('a', \"GBM\")", true),
        ("params.kind not in ('a')", true),
        ("tags.\"it's\" = 1", true), ("tags.none is null", true), ("tags.owner is not null", true),
        ("tags.owner is null or not metrics.auc < 0.5", true), ("not (metrics.auc > 0.9 or params.lr = 5)", true),
        ("status = 'FINISHED'", true), ("attributes.status in ('finished')", true), ("attr.run_name = 'gbm-3'", true),
        ("run.user = 'ann'", true), ("run = '0193590a6b3d7c21a8f04d1e2b6c9f10'", true), ("dirty", true),
        ("not dirty", false), ("dirty = false", false), ("seconds / 2 = 6.25", true),
        ("seconds > 12 and exit is null", true),
        ("start_time = 1700000000000", true), ("started < '2023-11-15'", true),
        ("started >= '2023-11-14T22:13:20Z'", true),
        ("end_time = 1700000012500", true), ("metrics.auc - 0.06 > params.lr * 2 + -1", true),
        ("metrics.inf > 1e300", true), ("0.8 < metrics.auc", true), ("1 - (2 - 3) = 2", true), ("-2 * -3 = 6", true),
        ("metrics.auc > 0.9 or metrics.auc > 0.8 and params.lr = 1", false), ("params.owner = tags.owner", false),
        ("tags.owner = user", true), ("source = 'commit'", true),
    ])
    func `a filter chooses as it reads`(text: String, holds: Bool) throws {
        #expect(try Filter(text).matches(Self.run) == holds)
    }

    @Test(arguments: [
        "metrics.none > 0", "metrics.none != 0", "metrics.nan > 0", "metrics.nan != 0", "metrics.nan = metrics.nan",
        "params.kind < 5", "params.none = 'x'", "params.none like '%'", "params.none not in ('x')", "1 / 0 > 0",
        "metrics.inf - metrics.inf = 0", "exit = 0",
    ])
    func `what cannot be compared is chosen neither so nor negated`(text: String) throws {
        #expect(try !Filter(text).matches(Self.run))
        #expect(try !Filter("not (\(text))").matches(Self.run))
        #expect(try !Filter("metrics.auc > 0 and \(text)").matches(Self.run))
        #expect(try Filter("metrics.auc > 0 or \(text)").matches(Self.run))
        #expect(try Filter("not (metrics.auc < 0 and \(text))").matches(Self.run))
    }

    @Test(arguments: [
        ("metrics.auc >> 0.8", 13, ">>"), ("", 1, "missing"), ("metrics.auc", 1, "comparison"),
        ("metrics.auc >", 14, "the end"),
        ("metrics.auc > 0.8 0.9", 19, "0.9"), ("metrics.auc > 'high'", 15, "'high'"),
        ("metrics.auc > '0.8'", 15, "without quotes"),
        ("statuss = 'x'", 1, "“status”"), ("metrix.auc > 1", 1, "“metrics”"), ("attributes.startd > 1", 1, "“started”"),
        ("status = finished", 10, "finished"), ("status > 5", 10, "quotes"), ("params.a = 'b", 12, "closed"),
        ("(metrics.a > 1", 15, ")"), ("metrics.a > 1)", 14, "“)”"), ("metrics.a in ()", 15, "missing"),
        ("metrics.a in (1", 16, "closed"), ("metrics.a is 5", 14, "null"), ("params.a like 5", 15, "quotes"),
        ("metrics.a like 'x'", 1, "no text"), ("params.a not 5", 14, "like"), ("metrics. > 1", 9, "missing"),
        ("started > 'yesterday'", 11, "2026"), ("current.metrics.auc > 1", 1, "gate"), ("metrics.a > 1 > 2", 15, "and"),
        ("metrics.a > 1 & metrics.b > 2", 15, "“&”"), ("metrics.a > 1x", 13, "1x"),
        ("metrics.val/loss > 1", 13, "loss"),
        ("not not", 8, "missing"), ("name > metrics.a", 8, "text"),
        ("metrics.a + (metrics.b > 1) > 2", 24, "condition"),
    ])
    func `an error names the column and the remedy`(text: String, column: Int, word: String) {
        let failure = #expect(throws: FilterFailure.self) { try Filter(text) }
        #expect(failure?.column == column)
        #expect(failure?.reason.contains(word) == true, "\(failure?.reason ?? "")")
        #expect(failure?.hints.last == String(repeating: " ", count: column - 1) + "^")
    }

    @Test func `thousands of parentheses and conditions are an error, not a crash`() {
        let deep = String(repeating: "(", count: 100_000)
        let signs = String(repeating: "- ", count: 100_000)
        let nots = String(repeating: "not ", count: 100_000)
        let long = Array(repeating: "dirty", count: 100_000).joined(separator: " or ")
        for text in [deep, signs, nots, long] { #expect(throws: FilterFailure.self) { try Filter(text) } }
    }

    @Test(arguments: [
        ("%", "", true), ("_", "", false), ("a%b%c", "aXbYbZc", true), ("a%b%c", "aXbYbZ", false), ("%a", "bab", false),
        ("__", "é\u{301}x", false), ("_%", "日本", true),
    ])
    func `like takes % for any text and _ for one scalar`(pattern: String, text: String, matches: Bool) {
        #expect(LikePattern(pattern, ignoresCase: false).matches(text) == matches)
    }
}

/// SQL and memory agree.
struct FilterAgreementTests {
    private let sandbox: Sandbox
    private let store: RunStore

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        var random = RandomFilters(seed: 99)
        var lines: [ObjectID: [String]] = [:]
        for i in 0..<150 {
            let object = ObjectID(Digest.of("object \(i % 20)").hex.prefix(40)) ?? .emptyTree
            lines[object, default: []] += random.run(on: object)
        }
        try Notes(RunLog.ref, in: repository).add(lines, message: "runs")
        store = try RunStore(repository)
    }

    @Test(arguments: 1...8) func `the index chooses and sorts as memory does`(seed: UInt64) throws {
        var random = RandomFilters(seed: seed)
        let all = try store.runs()
        #expect(all.count == 150)
        for _ in 0..<250 {
            let text = random.filter(depth: 3)
            var query = RunQuery()
            query.filter = try Filter(text)
            query.sort = random.sort()
            query.limit = random.isOdd() ? 7 : nil
            query.offset = random.isOdd() ? 2 : 0
            let order = try RunOrder(query.sort)
            let wanted = all.filter { query.filter?.matches($0) == true }.sorted(by: order.precedes)
                .dropFirst(query.offset).prefix(query.limit ?? .max)
            let seen = try store.runs(query)
            #expect(seen.map(\.id) == wanted.map(\.id), "seed \(seed): \(text) by \(query.sort)")
        }
    }

    @Test func `runs that are going on are laid over, filtered and sorted alike`() throws {
        var overlaid = store
        let all = try store.runs()
        overlaid.running = Array(all.prefix(20)).map { run in
            var run = run
            run.status = "running"
            run.params["lr"] = "7"
            return run
        }
        var query = RunQuery()
        query.filter = try Filter("params.lr = 7")
        #expect(try overlaid.runs(query).map(\.id) == all.prefix(20).map(\.id))
        query.offset = 5
        query.limit = 3
        #expect(try overlaid.runs(query).map(\.id) == Array(all[5..<8].map(\.id)))
        #expect(try overlaid.runs().count == 150)
    }
}

/// Seeded runs with gaps in them, and filters that ask for all of it.
struct RandomFilters {
    private var generator: SeededGenerator
    private var clock: Int64 = 1_700_000_000_000_000

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    private mutating func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &generator)] }
    mutating func isOdd() -> Bool { Bool.random(using: &generator) }

    private static let numbers: [Double] = [0, -1, 0.5, 0.1, 3, 1e10, .infinity, -.infinity, .nan]
    private static let texts = [
        "0.5", "3", "3.0", "1e1", "gbm", "GBM", "Ärger", "ä%", "", " 3", "nan", "inf", "0x10", "日本", "it's",
    ]

    mutating func run(on object: ObjectID) -> [String] {
        clock += Int64.random(in: 0...3, using: &generator) * 500_000
        var record = RunRecord(
            run: UUIDv7(at: Timestamp(microseconds: clock)), started: Timestamp(microseconds: clock), code: object,
            source: pick([.cli, .commit]))
        record.name = pick([nil, "a", "b", "gbm-3"])
        record.user = pick([nil, "ann", "Bob"])
        record.dirty = isOdd()
        for key in ["a", "b", "val loss"] where isOdd() {
            record.series[key] = [MetricPoint(step: 0, time: record.started, value: pick(Self.numbers))]
        }
        for key in ["lr", "kind"] where isOdd() { record.params[key] = pick(Self.texts) }
        for key in ["owner", "a"] where isOdd() { record.tags[key] = pick(Self.texts) }
        record.end =
            isOdd() ? .init(pick([.finished, .failed]), seconds: pick([nil, 0, 2.5]), exit: pick([nil, 0, 1])) : nil
        return (try? record.lines(store: NoContent())) ?? []
    }

    private struct NoContent: KeptContent {
        func keep(_ bytes: [UInt8]) -> Digest { .of(bytes) }
        func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
    }

    private static let numeric = ["metrics.a", "metrics.b", "metrics.\"val loss\"", "metrics.none", "seconds", "exit"]
    private static let flexible = ["params.lr", "params.kind", "tags.owner", "tags.a", "params.none"]
    private static let textual = ["name", "user", "status", "source", "run", "commit", "parent"]

    private mutating func number(_ depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 4), using: &generator) {
        case 0: pick(["0", "0.5", "3", "1e10", "-1", "0.1"])
        case 1, 2: pick(Self.numeric)
        case 3: pick(Self.flexible)
        case 4: "-\(number(depth - 1))"
        default: "(\(number(depth - 1)) \(pick(["+", "-", "*", "/"])) \(number(depth - 1)))"
        }
    }

    private mutating func quoted() -> String { "'" + pick(Self.texts).replacing("'", with: "''") + "'" }

    private mutating func condition() -> String {
        let comparison = pick(["=", "!=", "<", "<=", ">", ">="])
        switch Int.random(in: 0..<10, using: &generator) {
        case 0, 1: return "\(pick(Self.numeric)) \(comparison) \(number(2))"
        case 2: return "\(number(1)) \(comparison) \(pick(Self.numeric))"
        case 3, 4: return "\(pick(Self.flexible + Self.textual)) \(comparison) \(quoted())"
        case 5: return "\(pick(Self.flexible)) \(comparison) \(pick(Self.flexible + ["3", "0.5"]))"
        case 6:
            let pattern = pick(["'%'", "'g%'", "'%m'", "'_'", "'ä%'", "'%A%'"])
            return "\(pick(Self.flexible + Self.textual)) \(pick(["", "not "]))\(pick(["like", "ilike"])) \(pattern)"
        case 7: return "\(pick(Self.flexible)) \(pick(["", "not "]))in (\(quoted()), \(quoted()))"
        case 8: return "\(pick(Self.flexible + Self.numeric)) in (3, -1, 0.5)"
        default:
            return
                "\(pick(Self.flexible + Self.numeric + Self.textual + ["started", "end_time"])) is \(pick(["", "not "]))null"
        }
    }

    mutating func filter(depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 6 : 2), using: &generator) {
        case 0: pick(["dirty", "started >= '2023-11-14T22:14:20Z'", "start_time < 1700000050000", "dirty = true"])
        case 1: condition()
        case 2: "not \(filter(depth: 0))"
        case 3: "not (\(filter(depth: depth - 1)))"
        default: "(\(filter(depth: depth - 1)) \(pick(["and", "or"])) \(filter(depth: depth - 1)))"
        }
    }

    mutating func sort() -> [RunQuery.SortKey] {
        (0..<Int.random(in: 0...2, using: &generator)).map { _ in
            RunQuery.SortKey(
                pick([
                    "metrics.a", "metrics.val loss", "params.lr", "tags.owner", "seconds", "name", "started",
                    "metrics.none",
                ]),
                isDescending: isOdd())
        }
    }
}
