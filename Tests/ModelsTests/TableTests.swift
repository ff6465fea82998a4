import Base
import SystemPackage
import TestSupport
import Testing

@testable import Models

struct CSVReaderTests {
    /// Reads a text in pieces of a size.
    private func read(_ text: String, pieces: Int = 7, delimiter: UInt8 = UInt8(ascii: ",")) throws -> [[String]] {
        var reader = CSVReader(delimiter: delimiter)
        var records: [[String]] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            try bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes {
                try reader.take($0) { record, _ in records.append(record.texts) }
            }
        }
        try reader.finish { record, _ in records.append(record.texts) }
        return records
    }

    @Test(arguments: [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]), ("a,b\r\n1,2\r\n", [["a", "b"], ["1", "2"]]),
        ("a,b\r1,2", [["a", "b"], ["1", "2"]]), ("a\n\"x\ny\"\n", [["a"], ["x\ny"]]),
        ("a\n\"x\r\ny\"\r\n", [["a"], ["x\r\ny"]]), ("\"a\"\"b\",\"\"\n", [["a\"b", ""]]),
        ("a,\n,b\n", [["a", ""], ["", "b"]]),
        ("a\n\n\nb\n", [["a"], ["b"]]), ("a\n\"\"\n", [["a"], [""]]), (",\n", [["", ""]]), ("a,b", [["a", "b"]]),
        ("a\"b,c\n", [["a\"b", "c"]]), ("\"a\"b,c\n", [["ab", "c"]]), ("", []), ("é,ü\n", [["é", "ü"]]),
        ("a,", [["a", ""]]),
    ])
    func `records are read as RFC 4180 writes them, wherever the pieces end`(text: String, records: [[String]]) throws {
        for size in [1, 2, 3, 100] { #expect(try read(text, pieces: size) == records) }
    }

    @Test func `what is written with any line end and quoting is read again`() throws {
        var random = SeededGenerator(seed: 4)
        let alphabet = ["a", "b", ",", "\"", "\n", "\r", "\r\n", " ", "é", "漢", ""]
        for _ in 0..<200 {
            let width = Int.random(in: 2...4, using: &random)
            let table = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                (0..<width).map { _ in
                    (0..<Int.random(in: 0...5, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? ""
                    }
                    .joined()
                }
            }
            let end = ["\n", "\r\n", "\r"].randomElement(using: &random) ?? "\n"
            let text = table.map { row in
                row.map { cell in
                    // As unicode scalars: Swift takes "\r\n" for one character.
                    let isSpecial = cell.unicodeScalars.contains { ",\"\n\r".unicodeScalars.contains($0) }
                    return isSpecial || Bool.random(using: &random)
                        ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
                }.joined(separator: ",")
            }.joined(separator: end)
            let records = try read(text, pieces: Int.random(in: 1...9, using: &random))
            #expect(records == table)
        }
    }

    @Test func `a quote that is not closed is an error that names the row`() {
        let failure = #expect(throws: TableProblem.self) { try read("a\n1\n\"2\n3\n") }
        #expect(failure?.description == "row 3: a quote is not closed")
    }
}

struct TableCheckTests {
    private let schema = """
        fieldsMatch: subset
        missingValues: ["", NA]
        primaryKey: id
        rows: {minimum: 2, maximum: 5}
        fields:
          - {name: id, type: integer}
          - {name: age, type: integer, constraints: {minimum: 0, maximum: 120, nulls: 50%}}
          - {name: plan, type: string, constraints: {required: true, enum: [basic, pro]}}
          - {name: at, type: datetime, constraints: {minimum: "2026-01-01T00:00:00Z"}}
          - {name: code, type: string, constraints: {pattern: "[A-Z]{2}[0-9]+", maxLength: 4}}
        """

    private func check(_ text: String, _ schema: String? = nil, format: TableFormat = .csv(delimiter: nil)) throws
        -> TableCheck.Findings
    {
        try TableCheck.run(
            .bytes(Array(text.utf8)), format, TableSchema(schema ?? self.schema, file: "schemas/train.yaml"))
    }

    @Test func `a table that is as its schema says has no errors`() throws {
        let findings = try check(
            "\u{feff}id,age,plan,at,code,more\r\n1,20,basic,2026-02-01T10:00:00+01:00,AB1,\"x\ny\"\r\n2,NA,pro,2026-02-01 10:00:00,,\r\n"
        )
        #expect(findings.errors == [])
        #expect(findings.rows == 2)
        #expect(findings.columns == 6)
    }

    @Test(arguments: [
        ("1,abc,pro,,", "row 3, column age: “abc” is no integer"),
        ("1,1.5,pro,,", "row 3, column age: “1.5” is no integer"),
        ("1,-1,pro,,", "row 3, column age: “-1” is less than 0"),
        ("1,121,pro,,", "row 3, column age: “121” is more than 120"),
        ("1,1,,,", "row 3, column plan: is missing"), ("1,1,NA,,", "row 3, column plan: is missing"),
        ("1,1,gold,,", "row 3, column plan: “gold” is none of the allowed values"),
        ("9,1,pro,,", "row 3, column id: “9” stands in row 2 already"), (",1,pro,,", "row 3, column id: is missing"),
        ("1,1,pro,yesterday,", "row 3, column at: “yesterday” is no datetime"),
        (
            "1,1,pro,2025-12-31T23:59:59Z,",
            "row 3, column at: “2025-12-31T23:59:59Z” is before 2026-01-01T00:00:00.000000Z"
        ),
        ("1,1,pro,,ab1", "row 3, column code: “ab1” does not match [A-Z]{2}[0-9]+"),
        ("1,1,pro,,AB123", "row 3, column code: “AB123” is longer than 4"),
        ("1,1,pro", "row 3 has 3 cell(s), the header has 5"), ("1,1,pro,,,", "row 3 has 6 cell(s), the header has 5"),
    ])
    func `an error names row, column and value`(row: String, error: String) throws {
        let findings = try check("id,age,plan,at,code\n9,1,basic,,\n\(row)\n")
        #expect(findings.errors == [error])
    }

    @Test func `a share of missing values and the number of rows are checked at the end`() throws {
        #expect(
            try check("id,age,plan,at,code\n1,,pro,,\n2,,pro,,\n3,1,pro,,\n").errors
                == ["column age: 2 of 3 values (66.67%) are missing, at most 50% may be"])
        #expect(try check("id,age,plan,at,code\n1,1,pro,,\n").errors == ["there are 1 rows, at least 2 are asked for"])
        let many = (0..<6).map { "\($0),1,pro,," }.joined(separator: "\n")
        #expect(try check("id,age,plan,at,code\n" + many).errors == ["there are 6 rows, at most 5 are allowed"])
    }

    @Test func `the first ten errors are told and all are counted`() throws {
        let rows = (0..<1000).map { "\($0),x,pro,," }.joined(separator: "\n")
        let findings = try check("id,age,plan,at,code\n" + rows)
        #expect(findings.errors.count == 10)
        #expect(findings.count == 1001)  // the number of rows besides
    }

    @Test(arguments: [
        ("exact", "a,b\n", []), ("exact", "b,a\n", ["the schema has “a”"]), ("exact", "a\n", ["“b” is not there"]),
        ("equal", "b,a\n", []), ("equal", "a,b,c\n", ["“c” is not in the schema"]), ("subset", "c,b,a\n", []),
        ("subset", "a,B\n", ["“b” is not there; “B” is"]), ("superset", "a\n", []),
        ("superset", "a,c\n", ["“c” is not in the schema"]), ("partial", "a,c\n", []),
        ("partial", "c\n", ["none of the"]),
        ("exact", "a,b,b\n", ["twice"]),
    ])
    func `columns are matched as fieldsMatch says`(match: String, header: String, errors: [String]) throws {
        let schema = "fieldsMatch: \(match)\nfields: [{name: a}, {name: b}]\n"
        let findings = try check(header, schema)
        #expect(findings.errors.count == errors.count, "\(findings.errors)")
        for (found, wanted) in zip(findings.errors, errors) { #expect(found.contains(wanted)) }
    }

    @Test(arguments: ["a;b\n1;2\n", "a\tb\n1\t2\n", "a|b\n1|2\n", "a,b\n1,2\n", "\"a\";b\n\"1\";2,5\n"])
    func `the delimiter is the one that shows the columns`(text: String) throws {
        let findings = try check(text, "fields: [{name: a, type: integer}, {name: b}]\n")
        #expect(findings.errors == [])
    }

    @Test func `JSON lines are checked by their own types`() throws {
        let schema = """
            fieldsMatch: equal
            fields:
              - {name: n, type: integer, constraints: {unique: true}}
              - {name: s, type: string, constraints: {minLength: 2}}
              - {name: b, type: boolean}
              - {name: o, type: object}
            """
        let good = #"{"n":1,"s":"ab","b":true,"o":{}}"# + "\n\n" + #"{"n":2,"s":null,"b":false,"o":{"x":1}}"# + "\n"
        #expect(try check(good, schema, format: .jsonLines).errors == [])
        let bad = """
            {"n":"1","s":"a","b":1,"o":[]}
            [1]
            {"n":1.5,"x":1}
            {"n":7}
            {"n":7.0}
            """
        #expect(
            try check(bad, schema, format: .jsonLines).errors == [
                "row 1, column n: “1” is no integer", "row 1, column s: “a” is shorter than 2",
                "row 1, column b: “1” is no boolean", "row 1, column o: “[]” is no object", "row 2 is no JSON object",
                "row 3, column n: “1.5” is no integer",
                "column “x” is not in the schema (fieldsMatch: subset allows it)",
            ])
    }

    @Test func `a text that is no UTF-8 is an error of its cell`() throws {
        let bytes = Array("a\n".utf8) + [0xff, 0xfe, 0x41, 0x0a]
        let schema = try TableSchema("fields: [{name: a, type: string}]", file: "s.yaml")
        let findings = try TableCheck.run(.bytes(bytes), .csv(delimiter: nil), schema)
        #expect(findings.count == 1)
        let problem = #expect(throws: TableProblem.self) {
            try TableCheck.run(.bytes([0xff, 0xfe, 0x61, 0]), .csv(delimiter: nil), schema)
        }
        #expect(problem?.description == "it is UTF-16: save it as UTF-8")
        #expect(throws: TableProblem.self) { try TableCheck.run(.bytes([]), .csv(delimiter: nil), schema) }
    }

    @Test(arguments: [
        ("fields:\n- {name: a, typ: x}\n", 2, "type"), ("fields:\n- {name: a, type: int}\n", 2, "integer"),
        ("feilds: []\n", 1, "fields"), ("fields:\n- {type: string}\n", 2, "name"),
        ("fields:\n- {name: a, constraints: {min: 1}}\n", 2, "min"),
        ("fields: [{name: a}]\nforeignKeys: []\n", 2, "known"),
        ("fields:\n- {name: a, type: string, constraints: {minimum: 1}}\n", 2, "minimum"),
        ("fields:\n- {name: a, constraints: {pattern: '['}}\n", 2, "regular"),
        ("fields:\n- {name: a, constraints: {nulls: 200%}}\n", 2, "share"),
        ("fields:\n- {name: a, format: email}\n", 2, "pattern"), ("fields: [{name: a}, {name: a}]\n", 1, "twice"),
        ("fields: [{name: age}]\nprimaryKey: ages\n", 2, "age"), ("{}\n", 1, "fields"),
    ])
    func `a schema that cannot be used names its line`(text: String, line: Int, word: String) {
        let failure = #expect(throws: YAMLFailure.self) { try TableSchema(text, file: "s.yaml") }
        #expect(failure?.line == line, "\(String(describing: failure))")
        #expect(failure.map { "\($0) \($0.hints)" }?.contains(word) == true, "\(String(describing: failure))")
    }

    @Test func `a shape is the number of rows and the columns`() {
        let csv = TableShape.read(.bytes(Array("a;b\n1;\"x\n;y\"\n\n2;3".utf8)), .csv(delimiter: nil))
        #expect(csv == TableShape(rows: 2, columns: ["a", "b"]))
        let lines = TableShape.read(.bytes(Array("{\"a\":1,\"b\":2}\n{}\n".utf8)), .jsonLines)
        #expect(lines == TableShape(rows: 2, columns: ["a", "b"]))
        #expect(TableShape.read(.bytes(Array("\"".utf8)), .csv(delimiter: nil)) == nil)
    }
}
