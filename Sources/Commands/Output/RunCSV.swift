internal import Base
internal import Runs

/// Runs as comma-separated values (RFC 4180), numbers in full.
struct RunCSV {
    private let columns: [RunColumn]
    private let each: ((Run) throws -> Void) throws -> Void

    /// Without `columns`: what `--json` prints of a run, then all parameters, metrics and tags, for which the runs are
    /// read twice.
    init(_ columns: [RunColumn]?, _ each: @escaping ((Run) throws -> Void) throws -> Void) throws {
        self.each = each
        self.columns = try columns ?? Self.allColumns(each)
    }

    private static func allColumns(_ each: ((Run) throws -> Void) throws -> Void) throws -> [RunColumn] {
        let common = [
            "run", "name", "experiment", "status", "source", "commit", "started", "seconds", "user", "dirty", "parent",
        ]
        var (params, metrics, tags): (Set<String>, Set<String>, Set<String>) = ([], [], [])
        try each { run in
            params.formUnion(run.params.keys)
            metrics.formUnion(run.metrics.keys)
            tags.formUnion(run.tags.keys)
        }
        return try common.map { try RunColumn($0) } + params.sorted().map { .param($0) }
            + metrics.sorted().map { .metric($0) } + tags.sorted().map { .tag($0) }
    }

    func print() throws {
        line(columns.map { Self.field(.string($0.name)) })
        try each { run in line(columns.map { Self.field($0.value(of: run)) }) }
    }

    private func line(_ fields: [String]) { Swift.print(fields.joined(separator: ","), terminator: "\r\n") }

    /// One field; a text that a spreadsheet would take for a formula begins with an apostrophe, unless it is a number.
    static func field(_ value: JSON) -> String {
        guard var text = value.string else { return value == .null ? "" : value.description }
        if let first = text.unicodeScalars.first, "=+-@\t\r".unicodeScalars.contains(first), Double(text) == nil {
            text = "'" + text
        }
        // By scalars: a carriage return and a line feed are one character.
        guard text.unicodeScalars.contains(where: { ",\"\r\n".unicodeScalars.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
