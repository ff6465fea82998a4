internal import Base

/// A value of a table.
enum TableCell {
    case missing
    /// A cell of CSV.
    case text(ArraySlice<UInt8>)
    /// A value of a JSON object.
    case value(JSON)

    /// As messages show it.
    var shown: String {
        let text =
            switch self {
            case .missing: ""
            case .text(let bytes): String(decoding: bytes, as: UTF8.self)
            case .value(let json): json.string ?? json.description
            }
        return text.count > 40 ? "“\(text.prefix(40))…”" : "“\(text)”"
    }
}

/// Two hashes of one value: enough to tell any two values of a table apart.
struct TableFingerprint: Hashable {
    private let first: Int
    private let second: Int

    init(_ bytes: some Sequence<UInt8>) {
        var (a, b) = (Hasher(), Hasher())
        b.combine(1 as UInt8)
        let isDone: Void? = bytes.withContiguousStorageIfAvailable {
            a.combine(bytes: UnsafeRawBufferPointer($0))
            b.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isDone == nil {
            for byte in bytes {
                a.combine(byte)
                b.combine(byte)
            }
        }
        (first, second) = (a.finalize(), b.finalize())
    }
}

/// Checks the values of one column, one after the other.
struct ColumnCheck {
    let field: TableField
    private(set) var missing: Int64 = 0
    private let numbers: Set<Double>?
    private var seen: [TableFingerprint: Int] = [:]

    /// `isKey`: the column is the table's key, so required and unique.
    init(_ field: TableField, isKey: Bool) {
        var field = field
        if isKey { (field.isRequired, field.isUnique) = (true, true) }
        self.field = field
        let isNumber = [.integer, .number, .year].contains(field.kind)
        numbers = isNumber ? field.choices.map { Set($0.compactMap { Double($0) }) } : nil
    }

    /// What is wrong with a value; nil when nothing is.
    mutating func problem(_ cell: TableCell, row: Int) -> String? {
        if case .missing = cell {
            missing += 1
            return field.isRequired ? "is missing" : nil
        }
        return typeProblem(cell) ?? lengthProblem(cell) ?? repetition(cell, row: row)
    }

    private func typeProblem(_ cell: TableCell) -> String? {
        switch field.kind {
        case .integer, .year:
            guard let value = Self.integer(cell) else { return "\(cell.shown) is no \(field.kind.rawValue)" }
            return rangeProblem(value, cell)
        case .number:
            guard let value = Self.number(cell) else { return "\(cell.shown) is no number" }
            return rangeProblem(value, cell)
        case .boolean: return Self.isTruth(cell) ? choiceProblem(cell) : "\(cell.shown) is no boolean"
        case .date, .time, .datetime:
            guard let text = Self.text(cell), let value = TableTime.canonical(text, field.kind) else {
                return "\(cell.shown) is no \(field.kind.rawValue)"
            }
            if let earliest = field.earliest, value < earliest { return "\(cell.shown) is before \(earliest)" }
            if let latest = field.latest, value > latest { return "\(cell.shown) is after \(latest)" }
            return choiceProblem(cell)
        case .object, .array:
            return Self.isNested(cell, field.kind) ? nil : "\(cell.shown) is no \(field.kind.rawValue)"
        case .string:
            guard Self.isText(cell) else { return "\(cell.shown) is no string" }
            return choiceProblem(cell)
        case .any: return choiceProblem(cell)
        }
    }

    private func rangeProblem(_ value: Double, _ cell: TableCell) -> String? {
        if let minimum = field.minimum, !(value >= minimum) {
            return "\(cell.shown) is \(value.isNaN ? "not at least" : "less than") \(Self.shown(minimum))"
        }
        if let maximum = field.maximum, !(value <= maximum) {
            return "\(cell.shown) is \(value.isNaN ? "not at most" : "more than") \(Self.shown(maximum))"
        }
        if let numbers, !numbers.contains(value) { return "\(cell.shown) is none of the allowed values" }
        return nil
    }

    private func choiceProblem(_ cell: TableCell) -> String? {
        guard let choices = field.choices else { return nil }
        let text = Self.text(cell) ?? Self.json(cell)?.description ?? ""
        return choices.contains(text) ? nil : "\(cell.shown) is none of the allowed values"
    }

    private func lengthProblem(_ cell: TableCell) -> String? {
        guard field.pattern != nil || field.minimumLength != nil || field.maximumLength != nil else { return nil }
        let text = Self.text(cell) ?? ""
        if let pattern = field.pattern, !pattern.matches(text) {
            return "\(cell.shown) does not match \(pattern.text)"
        }
        if let least = field.minimumLength, text.unicodeScalars.count < least {
            return "\(cell.shown) is shorter than \(least)"
        }
        if let most = field.maximumLength, text.unicodeScalars.count > most {
            return "\(cell.shown) is longer than \(most)"
        }
        return nil
    }

    private mutating func repetition(_ cell: TableCell, row: Int) -> String? {
        guard field.isUnique else { return nil }
        let print: TableFingerprint
        switch cell {
        case .missing: return nil
        case .text(let bytes): print = TableFingerprint(bytes)
        case .value(let json): print = TableFingerprint(json.canonical.utf8)
        }
        if let first = seen[print] { return "\(cell.shown) stands in row \(first) already" }
        seen[print] = row
        return nil
    }

    /// What is wrong with the column as a whole.
    func problem(rows: Int64) -> String? {
        guard let nulls = field.nulls, rows > 0, Double(missing) > nulls * Double(rows) else { return nil }
        let share = Decimal.format(100 * Double(missing) / Double(rows), digits: 2)
        return "\(missing) of \(rows) values (\(share)%) are missing, at most \(Self.shown(nulls * 100))% may be"
    }
}

// MARK: - Reading values

extension ColumnCheck {
    private static func shown(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? String(Int64(value)) : "\(value)"
    }

    private static func json(_ cell: TableCell) -> JSON? { if case .value(let json) = cell { json } else { nil } }

    /// A cell of CSV as it is, of JSON only what is a string.
    private static func text(_ cell: TableCell) -> String? {
        switch cell {
        case .missing: nil
        case .text(let bytes): String(decoding: bytes, as: UTF8.self)
        case .value(let json): json.string
        }
    }

    private static func isText(_ cell: TableCell) -> Bool {
        switch cell {
        case .missing: false
        case .text(let bytes): bytes.allSatisfy { $0 < 0x80 } || String(validating: bytes, as: UTF8.self) != nil
        case .value(let json): json.string != nil
        }
    }

    private static func integer(_ cell: TableCell) -> Double? {
        switch cell {
        case .missing: return nil
        case .text(let bytes):
            let digits =
                bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+") ? bytes.dropFirst() : bytes
            guard !digits.isEmpty, digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
            if digits.count < 16 {
                let value = digits.reduce(0) { $0 * 10 + Int64($1 - 48) }
                return Double(bytes.first == UInt8(ascii: "-") ? -value : value)
            }
            return Double(String(decoding: bytes, as: UTF8.self))
        case .value(let json):
            if json.string != nil { return nil }
            return json.double.flatMap { $0 == $0.rounded() ? $0 : nil }
        }
    }

    private static func number(_ cell: TableCell) -> Double? {
        switch cell {
        case .missing: return nil
        case .text(let bytes):
            let isPlain = bytes.allSatisfy { (48...57).contains($0) || "+-.eE".utf8.contains($0) }
            let text = String(decoding: bytes, as: UTF8.self)
            return isPlain ? Double(text) : ["NaN": .nan, "INF": .infinity, "-INF": -.infinity][text]
        case .value(let json): return json.double
        }
    }

    private static func isTruth(_ cell: TableCell) -> Bool {
        if let json = json(cell) { return json.bool != nil }
        return ["true", "True", "TRUE", "1", "false", "False", "FALSE", "0"].contains(text(cell) ?? "")
    }

    private static func isNested(_ cell: TableCell, _ kind: TableField.Kind) -> Bool {
        let value = json(cell) ?? text(cell).flatMap { try? JSON.parse($0) }
        return kind == .object ? value?.members != nil : value?.array != nil
    }
}
