internal import Base

/// Checks a table against a schema, row by row; memory grows with unique columns only.
///
/// Rows are counted as a spreadsheet counts them: the header of a CSV file is row 1.
struct TableCheck {
    /// How many errors are told one by one.
    static let shown = 10

    struct Findings: Sendable, Equatable {
        var rows: Int64 = 0
        var columns = 0
        /// The first errors, each with its row and column.
        var errors: [String] = []
        var count = 0

        fileprivate mutating func add(_ error: String) {
            count += 1
            if errors.count < TableCheck.shown { errors.append(error) }
        }
    }

    private let schema: TableSchema
    /// The texts that stand for nothing, as bytes: asked of every cell.
    private let missing: [[UInt8]]
    private var findings = Findings()
    private var checks: [ColumnCheck]
    /// The column of each check in a CSV file; nil where it is not there.
    private var places: [Int?] = []
    private var header: [String]?
    /// The columns seen in JSON lines.
    private var seen: Set<String> = []
    private var keys: [TableFingerprint: Int] = [:]

    private init(_ schema: TableSchema) {
        self.schema = schema
        missing = schema.missing.map { Array($0.utf8) }
        checks = schema.fields.map { ColumnCheck($0, isKey: schema.primaryKey == [$0.name]) }
    }

    /// Reads a whole table; an error is one that keeps it from being read at all.
    static func run(_ source: TableSource, _ format: TableFormat, _ schema: TableSchema) throws -> Findings {
        var check = TableCheck(schema)
        switch format {
        case .csv(let delimiter): try check.readCSV(source, delimiter)
        case .jsonLines: try check.readLines(source)
        }
        check.finish()
        return check.findings
    }

    // MARK: CSV

    private mutating func readCSV(_ source: TableSource, _ delimiter: UInt8?) throws {
        var check = self
        var reader = delimiter.map { CSVReader(delimiter: $0) }
        try source.read { piece in
            if reader == nil {
                let names = check.schema.fields.map(\.name)
                reader = CSVReader(delimiter: TableFormat.delimiter(of: piece, columns: names))
            }
            try reader?.take(piece) { check.take($0, row: $1) }
        }
        try reader?.finish { check.take($0, row: $1) }
        guard check.header != nil else { throw TableProblem(description: "it is empty") }
        self = check
    }

    private mutating func take(_ record: CSVRecord, row: Int) {
        guard let header else { return takeHeader(record.texts) }
        findings.rows += 1
        guard record.count == header.count else {
            return findings.add("row \(row) has \(record.count) cell(s), the header has \(header.count)")
        }
        var key: [UInt8]? = schema.primaryKey.count > 1 ? [] : nil
        for i in checks.indices {
            guard let place = places[i] else { continue }
            let bytes = record[place]
            let cell = isMissing(bytes) ? TableCell.missing : .text(bytes)
            judge(cell, i, row)
            if key != nil, schema.primaryKey.contains(checks[i].field.name) { key? += [0] + bytes }
        }
        if let key { takeKey(key, row) }
    }

    private func isMissing(_ bytes: ArraySlice<UInt8>) -> Bool {
        missing.contains { $0.count == bytes.count && $0.elementsEqual(bytes) }
    }

    private mutating func takeHeader(_ names: [String]) {
        header = names
        findings.columns = names.count
        var known: [String: Int] = [:]
        for (i, name) in names.enumerated() {
            if known.updateValue(i, forKey: name) != nil {
                findings.add("row 1: the column “\(name)” stands there twice")
            }
        }
        places = schema.fields.map { known[$0.name] }
        compareColumns(names)
        if schema.match == .exact, Set(names) == Set(schema.fields.map(\.name)),
            let (found, field) = zip(names, schema.fields).first(where: { $0 != $1.name })
        {
            findings.add(
                "row 1: the column “\(found)” stands where the schema has “\(field.name)” (fieldsMatch: equal allows it)"
            )
        }
    }

    /// What is missing of the columns, and what is too much.
    private mutating func compareColumns(_ names: [String]) {
        let (found, wanted) = (Set(names), schema.fields.map(\.name))
        if schema.match == .partial {
            if !wanted.contains(where: found.contains) { findings.add("none of the schema's columns is there") }
            return
        }
        if schema.match != .superset {
            for name in wanted where !found.contains(name) {
                let nearest = Spelling.nearest(to: name, in: names.filter { !wanted.contains($0) })
                findings.add("column “\(name)” is not there" + (nearest.map { "; “\($0)” is" } ?? ""))
            }
        }
        if schema.match != .subset {
            let known = Set(wanted)
            for name in names where !known.contains(name) {
                findings.add("column “\(name)” is not in the schema (fieldsMatch: subset allows it)")
            }
        }
    }

    // MARK: JSON lines

    private mutating func readLines(_ source: TableSource) throws {
        var check = self
        var splitter = LineSplitter()
        try source.read { try splitter.take($0) { check.take($0, row: $1) } }
        try splitter.finish { check.take($0, row: $1) }
        self = check
        findings.columns = seen.count
        compareColumns(seen.sorted())
    }

    private mutating func take(_ line: ArraySlice<UInt8>, row: Int) {
        findings.rows += 1
        guard let json = try? JSON.parse(Array(line)), let members = json.members else {
            return findings.add("row \(row) is no JSON object")
        }
        for member in members { seen.insert(member.key) }
        var key: [UInt8]? = schema.primaryKey.count > 1 ? [] : nil
        for i in checks.indices {
            let value = json[checks[i].field.name] ?? .null
            let isMissing = value == .null || value.string.map(schema.missing.contains) ?? false
            judge(isMissing ? .missing : .value(value), i, row)
            if key != nil, schema.primaryKey.contains(checks[i].field.name) { key? += [0] + value.canonical.utf8 }
        }
        if let key { takeKey(key, row) }
    }

    // MARK: Both

    private mutating func judge(_ cell: TableCell, _ i: Int, _ row: Int) {
        if let problem = checks[i].problem(cell, row: row) {
            findings.add("row \(row), column \(checks[i].field.name): \(problem)")
        }
    }

    private mutating func takeKey(_ bytes: [UInt8], _ row: Int) {
        let print = TableFingerprint(bytes)
        if let first = keys[print] {
            findings.add(
                "row \(row): the key \(schema.primaryKey.joined(separator: ", ")) stands in row \(first) already")
        } else {
            keys[print] = row
        }
    }

    private mutating func finish() {
        for check in checks {
            if let problem = check.problem(rows: findings.rows) {
                findings.add("column \(check.field.name): \(problem)")
            }
        }
        if findings.rows < schema.minimumRows {
            findings.add("there are \(findings.rows) rows, at least \(schema.minimumRows) are asked for")
        }
        if findings.rows > schema.maximumRows {
            findings.add("there are \(findings.rows) rows, at most \(schema.maximumRows) are allowed")
        }
    }
}
