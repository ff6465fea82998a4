internal import Base
internal import GRDB
internal import GitKit

/// Puts whole runs together again from the tables of the index.
final class RunReader {
    private let run, metrics, params, tags, items, links, names, environments, commits: IndexStatement
    private var nameOf: [Int64: String] = [:]
    private var environmentOf: [Int64: JSON] = [:]
    private var commitOf: [Int64: ObjectID] = [:]

    init(_ database: Database) throws {
        func make(_ sql: String) throws -> IndexStatement { try IndexStatement(database, sql) }
        run = try make("SELECT * FROM runs WHERE id = ?")
        metrics = try make("SELECT * FROM metrics WHERE run = ?")
        params = try make("SELECT * FROM params WHERE run = ?")
        tags = try make("SELECT * FROM tags WHERE run = ?")
        items = try make("SELECT * FROM items WHERE run = ? ORDER BY output, place")
        links = try make("SELECT code FROM links WHERE run = ? ORDER BY place")
        names = try make("SELECT name FROM names WHERE id = ?")
        environments = try make("SELECT json FROM environments WHERE id = ?")
        commits = try make("SELECT oid FROM commits WHERE id = ?")
    }

    /// The run of a row; nil when it is not there.
    func run(_ row: Int64) throws -> Run? {
        run.bind(1, row)
        guard try run.next() else { return nil }
        defer { run.reset() }
        guard let commit = try commit(run.int(2)) else { return nil }
        var result = Run(
            id: RunKey(bytes: run.bytes(1)).text, commit: commit, started: Timestamp(microseconds: run.int(9)))
        result.name = run.optionalText(3)
        result.experiment = run.optionalText(4)
        result.user = run.optionalText(5)
        result.host = run.optionalText(6)
        result.source = run.text(7)
        result.status = run.text(8)
        result.seconds = run.optionalDouble(10)
        result.exit = run.optionalInt(11)
        result.peakMemory = run.optionalInt(12)
        result.dirty = run.int(13) != 0
        result.parent = run.optionalText(14)
        result.environment = try environment(run.int(15))
        result.isDeleted = run.int(16) != 0
        if let detail = run.optionalText(18) { result.setDetail(detail) }
        try readMetrics(row, into: &result)
        result.params = try texts(params, row)
        result.tags = try texts(tags, row)
        try readItems(row, into: &result)
        links.bind(1, row)
        while try links.next() { if let commit = try self.commit(links.int(0)) { result.links.append(commit) } }
        return result
    }

    private func readMetrics(_ row: Int64, into run: inout Run) throws {
        metrics.bind(1, row)
        while try metrics.next() {
            run.metrics[try name(metrics.int(1))] = MetricSummary(
                last: metrics.double(2), step: metrics.int(3),
                at: metrics.optionalInt(4).map { Timestamp(microseconds: $0) }, min: metrics.double(5),
                max: metrics.double(6), firstStep: metrics.int(7), count: metrics.int(8))
        }
    }

    private func texts(_ statement: IndexStatement, _ row: Int64) throws -> [String: String] {
        var texts: [String: String] = [:]
        statement.bind(1, row)
        while try statement.next() { texts[try name(statement.int(1))] = statement.text(2) }
        return texts
    }

    private func readItems(_ row: Int64, into run: inout Run) throws {
        items.bind(1, row)
        while try items.next() {
            guard let digest = Digest(Hex.encode(items.bytes(4))) else { continue }
            let item = RunItem(
                path: items.text(3), digest: digest, size: items.int(5),
                role: RunItem.Role(rawValue: items.text(6)) ?? .artifact)
            if items.int(1) == 0 { run.inputs.append(item) } else { run.outputs.append(item) }
        }
    }

    private func name(_ id: Int64) throws -> String {
        if let name = nameOf[id] { return name }
        names.bind(1, id)
        let name = try names.next() ? names.text(0) : ""
        names.reset()
        nameOf[id] = name
        return name
    }

    private func environment(_ id: Int64) throws -> JSON {
        if let json = environmentOf[id] { return json }
        environments.bind(1, id)
        let json = try environments.next() ? (try? JSON.parse(environments.text(0))) ?? [:] : [:]
        environments.reset()
        environmentOf[id] = json
        return json
    }

    private func commit(_ id: Int64) throws -> ObjectID? {
        if let commit = commitOf[id] { return commit }
        commits.bind(1, id)
        let commit = try commits.next() ? ObjectID(Hex.encode(commits.bytes(0))) : nil
        commits.reset()
        if let commit { commitOf[id] = commit }
        return commit
    }
}
