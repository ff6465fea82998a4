internal import Base

/// What a table must be: a Frictionless Table Schema, in YAML or JSON.
///
/// ```yaml
/// fieldsMatch: subset            # more columns may be there; the standard's default is exact
/// missingValues: ["", NA]
/// primaryKey: id
/// rows: {minimum: 1000}          # ours: how many rows
/// fields:
///   - {name: id, type: integer}
///   - {name: age, type: integer, constraints: {minimum: 0, maximum: 120, nulls: 1%}}   # ours: the largest share missing
///   - {name: plan, type: string, constraints: {required: true, enum: [basic, pro]}}
/// ```
///
/// `rows` and `nulls` are the two things that the standard has no word for. What it has and is not checked here
/// (`foreignKeys`, formats other than the default) is refused, so that nothing is taken for checked that is not.
///
/// - SeeAlso: https://datapackage.org/standard/table-schema/
struct TableSchema: Sendable {
    /// How the columns of the table relate to the fields.
    enum Match: String, CaseIterable, Sendable {
        /// The same, in the same order.
        case exact
        /// The same, in any order.
        case equal
        /// All fields are there, and perhaps more columns.
        case subset
        /// No column that is no field.
        case superset
        /// One field at least is there.
        case partial
    }

    private(set) var fields: [TableField] = []
    private(set) var match = Match.exact
    private(set) var missing: Set<String> = [""]
    /// Columns that together tell rows apart.
    private(set) var primaryKey: [String] = []
    private(set) var minimumRows: Int64 = 0
    private(set) var maximumRows = Int64.max

    /// Reads a schema; `file` is for messages.
    init(_ text: String, file: String) throws {
        let node = try YAMLNode.parse(text, file: file)
        let known = try node.fields([
            "fields", "fieldsMatch", "missingValues", "primaryKey", "rows", "name", "title", "description", "$schema",
        ])
        guard let list = known["fields"] else {
            throw node.failure("a schema needs fields:", hints: ["write them like - {name: age, type: integer}"])
        }
        fields = try list.list().map { try TableField($0) }
        var names: Set<String> = []
        for field in fields where !names.insert(field.name).inserted {
            throw list.failure("the field “\(field.name)” stands there twice")
        }
        if let word = known["fieldsMatch"] {
            if case .list(let items) = word.value, items.count == 1 {
                match = try items[0].choice(Match.self)
            } else {
                match = try word.choice(Match.self)
            }
        }
        missing = try known["missingValues"].map { Set(try $0.texts()) } ?? missing
        try readKey(known["primaryKey"], names)
        if let rows = try known["rows"]?.fields(["minimum", "maximum"]) {
            minimumRows = try rows["minimum"]?.int() ?? minimumRows
            maximumRows = try rows["maximum"]?.int() ?? maximumRows
        }
    }

    private mutating func readKey(_ node: YAMLNode?, _ names: Set<String>) throws {
        guard let node else { return }
        if case .list = node.value { primaryKey = try node.texts() } else { primaryKey = [try node.text()] }
        if let unknown = primaryKey.first(where: { !names.contains($0) }) {
            let nearest = Spelling.nearest(to: unknown, in: names.sorted())
            throw node.failure(
                "the key “\(unknown)” is no field", hints: nearest.map { ["did you mean “\($0)”?"] } ?? [])
        }
    }
}

/// One column of a ``TableSchema``.
struct TableField: Sendable {
    enum Kind: String, CaseIterable, Sendable {
        case string, integer, number, boolean, date, time, datetime, year, any, object, array
    }

    let name: String
    let kind: Kind
    var isRequired = false
    var isUnique = false
    var minimum: Double?
    var maximum: Double?
    /// Of dates and times: as ISO 8601 writes them, they are ordered as texts.
    var earliest: String?
    var latest: String?
    var choices: Set<String>?
    var pattern: TablePattern?
    var minimumLength: Int64?
    var maximumLength: Int64?
    /// The largest share of missing values, from 0 to 1.
    var nulls: Double?

    init(_ node: YAMLNode) throws {
        let fields = try node.fields([
            "name", "type", "format", "title", "description", "example", "constraints", "rdfType",
        ])
        guard let name = fields["name"] else { throw node.failure("a field needs a name") }
        self.name = try name.text()
        kind = try fields["type"]?.choice(Kind.self) ?? .any
        if let format = fields["format"], try format.text() != "default" {
            throw format.failure(
                "the format “\(try format.text())” cannot be checked", hints: ["leave it out, or use a pattern"])
        }
        try readConstraints(fields["constraints"])
    }

    private mutating func readConstraints(_ node: YAMLNode?) throws {
        guard let node else { return }
        let known = try node.fields([
            "required", "unique", "minimum", "maximum", "enum", "pattern", "minLength", "maxLength", "nulls",
        ])
        isRequired = try known["required"]?.bool() ?? false
        isUnique = try known["unique"]?.bool() ?? false
        for (key, node) in [("minimum", known["minimum"]), ("maximum", known["maximum"])] {
            guard let node else { continue }
            switch kind {
            case .integer, .number, .year:
                let value = try node.number()
                if key == "minimum" { minimum = value } else { maximum = value }
            case .date, .time, .datetime:
                let text = try node.text()
                guard let value = TableTime.canonical(text, kind) else {
                    throw node.failure("“\(text)” is no \(kind.rawValue)")
                }
                if key == "minimum" { earliest = value } else { latest = value }
            default: throw node.failure("a \(kind.rawValue) has no \(key)")
            }
        }
        choices = try known["enum"].map { node in
            Set(try node.list().map { try $0.text() })
        }
        pattern = try known["pattern"].map { node in
            guard let pattern = TablePattern(try node.text()) else {
                throw node.failure("“\(try node.text())” is no regular expression")
            }
            return pattern
        }
        minimumLength = try known["minLength"]?.int()
        maximumLength = try known["maxLength"]?.int()
        nulls = try known["nulls"].map(Self.share)
    }

    /// `0.01` or `1%`.
    private static func share(_ node: YAMLNode) throws -> Double {
        let text = try node.text()
        let value = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
        guard let value, (0...1).contains(value) else {
            throw node.failure("“nulls” is the largest share of missing values: 0.01 or 1%, not “\(text)”")
        }
        return value
    }
}

/// A regular expression that a whole value must match.
struct TablePattern: @unchecked Sendable {  // a compiled expression never changes
    let text: String
    private let regex: Regex<AnyRegexOutput>

    init?(_ text: String) {
        guard let regex = try? Regex(text) else { return nil }
        self.text = text
        self.regex = regex
    }

    func matches(_ value: String) -> Bool { (try? regex.wholeMatch(in: value)) != nil }
}

/// Dates and times as ISO 8601 writes them.
enum TableTime {
    /// A text that orders as the moments do; nil when it is no date, time or moment.
    static func canonical(_ text: String, _ kind: TableField.Kind) -> String? {
        switch kind {
        case .date: Timestamp(text + "T00:00:00Z") == nil || text.utf8.count != 10 ? nil : text
        case .time: Timestamp("2000-01-01T" + text + (text.hasSuffix("Z") ? "" : "Z")) == nil ? nil : text
        case .datetime: moment(text)?.description
        default: nil
        }
    }

    /// `2026-11-23T15:04:05`, with a space in place of the T too, a fraction, and `Z` or an offset; without one it is UTC.
    private static func moment(_ text: String) -> Timestamp? {
        var text = text
        if text.utf8.count > 10, text.utf8.dropFirst(10).first == UInt8(ascii: " ") {
            text = text.prefix(10) + "T" + text.dropFirst(11)
        }
        if let time = Timestamp(text) ?? Timestamp(text + "Z") { return time }
        guard let sign = text.dropFirst(11).lastIndex(where: { $0 == "+" || $0 == "-" }),
            let time = Timestamp(text[..<sign] + "Z")
        else { return nil }
        let digits = text[text.index(after: sign)...].filter { $0 != ":" }
        guard digits.utf8.count == 4, let number = Int(digits), number % 100 < 60, number < 2400 else { return nil }
        let seconds = Double(number / 100 * 3600 + number % 100 * 60)
        return time.advanced(bySeconds: text[sign] == "+" ? -seconds : seconds)
    }
}
