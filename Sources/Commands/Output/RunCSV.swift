internal import Base
internal import Runs

/// Runs as comma-separated values (RFC 4180), numbers in full.
struct RunCSV {
    private let columns: [RunColumn]
    private let runs: [Run]

    /// Without `columns`: what `--json` prints of a run, then all parameters, metrics and tags.
    init(_ runs: [Run], columns: [RunColumn]?) throws {
        self.runs = runs
        let common = [
            "run", "name", "experiment", "status", "source", "commit", "started", "seconds", "user", "dirty", "parent",
        ]
        self.columns =
            try columns ?? common.map { try RunColumn($0) }
            + Set(runs.flatMap(\.params.keys)).sorted().map { .param($0) }
            + Set(runs.flatMap(\.metrics.keys)).sorted().map { .metric($0) }
            + Set(runs.flatMap(\.tags.keys)).sorted().map { .tag($0) }
    }

    func print() {
        line(columns.map { Self.field(.string($0.name)) })
        for run in runs { line(columns.map { Self.field($0.value(of: run)) }) }
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
