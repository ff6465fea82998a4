/// A JSON value that keeps the order of its keys.
///
/// Foundation's encoders sort keys or shuffle them; event lines, image configs and pointers fix their bytes, so
/// the writer here does exactly what it is told. Reading is strict RFC 8259, with a limit on depth.
public enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    /// A key and its value.
    public struct Member: Hashable, Sendable {
        public let key: String
        public let value: JSON

        public init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }

        /// By the bytes of the keys: Swift's own order follows Unicode and may change with it.
        static func precedes(_ a: Member, _ b: Member) -> Bool {
            a.key.utf8.lexicographicallyPrecedes(b.key.utf8)
        }
    }
}

// MARK: - Building

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral, ExpressibleByFloatLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(nilLiteral: ()) { self = .null }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements.map { Member($0.0, $0.1) }) }

    /// A number as event lines write it: NaN and the infinities are strings.
    public static func number(_ value: Double) -> JSON {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "Infinity" : "-Infinity" }
        return .double(value)
    }

    /// A text, or null.
    public static func optional(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }

    /// An object of texts, in the order of its keys.
    public static func sorted(_ texts: [String: String]) -> JSON { sorted(texts.mapValues { .string($0) }) }

    /// An object in the order of its keys.
    public static func sorted(_ values: [String: JSON]) -> JSON {
        .object(values.map { Member($0.key, $0.value) }.sorted(by: Member.precedes))
    }
}

// MARK: - Looking inside

extension JSON {
    /// The value of a key (the last one, as JavaScript has it), or nil.
    public subscript(_ key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }
    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }
    public var int: Int64? {
        switch self {
        case .int(let value): value
        case .double(let value) where value.rounded() == value && value.magnitude < 9e15: Int64(value)
        default: nil
        }
    }
    /// A number; the strings `NaN`, `Infinity` and `-Infinity` count as numbers.
    public var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        case .string("NaN"): .nan
        case .string("Infinity"): .infinity
        case .string("-Infinity"): -.infinity
        default: nil
        }
    }
    public var array: [JSON]? {
        if case .array(let values) = self { values } else { nil }
    }
    public var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }
    /// An object whose values are all texts, as a dictionary; other values are left out.
    public var texts: [String: String] {
        var result: [String: String] = [:]
        for member in members ?? [] { result[member.key] = member.value.string }
        return result
    }
}

// MARK: - Writing

extension JSON: CustomStringConvertible {
    /// One line without spaces, keys in their order, only what must be escaped escaped.
    public var description: String { String(decoding: encoded(), as: UTF8.self) }

    /// The same with keys sorted at every level: canonical, for content that is hashed.
    public var canonical: String { sortedKeys.description }

    /// Indented by two spaces, for files that people read.
    public var pretty: String {
        var out: [UInt8] = []
        write(to: &out, indent: 0)
        return String(decoding: out, as: UTF8.self)
    }

    /// The bytes of ``description``.
    public func encoded() -> [UInt8] {
        var out: [UInt8] = []
        write(to: &out, indent: nil)
        return out
    }

    private var sortedKeys: JSON {
        switch self {
        case .array(let values): .array(values.map(\.sortedKeys))
        case .object(let members):
            .object(members.map { Member($0.key, $0.value.sortedKeys) }.sorted(by: Member.precedes))
        default: self
        }
    }

    private func write(to out: inout [UInt8], indent: Int?) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .int(let value): out += String(value).utf8
        case .double(let value): out += Self.text(of: value).utf8
        case .string(let text): Self.quote(text, to: &out)
        case .array(let values):
            Self.write(values, "[", "]", to: &out, indent: indent) { $0.write(to: &$1, indent: $2) }
        case .object(let members):
            Self.write(members, "{", "}", to: &out, indent: indent) { member, out, indent in
                Self.quote(member.key, to: &out)
                out += (indent == nil ? ":" : ": ").utf8
                member.value.write(to: &out, indent: indent)
            }
        }
    }

    private static func write<T>(
        _ items: [T], _ open: String, _ close: String, to out: inout [UInt8], indent: Int?,
        each: (T, inout [UInt8], Int?) -> Void
    ) {
        out += open.utf8
        for (i, item) in items.enumerated() {
            if i > 0 { out.append(UInt8(ascii: ",")) }
            if let indent { out += ("\n" + String(repeating: "  ", count: indent + 1)).utf8 }
            each(item, &out, indent.map { $0 + 1 })
        }
        if let indent, !items.isEmpty { out += ("\n" + String(repeating: "  ", count: indent)).utf8 }
        out += close.utf8
    }

    /// The shortest text that reads back as the same number; whole numbers keep their point (`1.0`).
    private static func text(of value: Double) -> String {
        value.isFinite ? value.description : "null"
    }

    private static func quote(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var text = text
        let isPlain = text.withUTF8 { units in
            guard units.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) else {
                return false
            }
            out.append(contentsOf: units)
            return true
        }
        if !isPlain { escape(text, to: &out) }
        out.append(UInt8(ascii: "\""))
    }

    private static func escape(_ text: String, to out: inout [UInt8]) {
        for unit in text.utf8 {
            switch unit {
            case UInt8(ascii: "\""): out += #"\""#.utf8
            case UInt8(ascii: "\\"): out += #"\\"#.utf8
            case 0x0a: out += #"\n"#.utf8
            case 0x0d: out += #"\r"#.utf8
            case 0x09: out += #"\t"#.utf8
            case 0..<0x20: out += (#"\u00"# + Hex.encode([unit])).utf8
            default: out.append(unit)
            }
        }
    }
}
