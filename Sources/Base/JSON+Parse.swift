/// Why a text is not JSON.
public struct JSONFailure: Failure, Equatable {
    public let reason: String
    /// Counted from 1.
    public let line: Int

    public var kind: FailureKind { .corrupt }
    public var description: String { "line \(line) is not JSON: \(reason)" }
}

extension JSON {
    /// Reads one JSON value that fills the whole text.
    ///
    /// `NaN`, `Infinity` and `-Infinity` are read as Python's `json` module writes them.
    public static func parse(_ text: String) throws(JSONFailure) -> JSON { try parse(Array(text.utf8)) }

    /// Reads one JSON value that fills all the bytes.
    public static func parse(_ bytes: [UInt8]) throws(JSONFailure) -> JSON {
        try bytes.withUnsafeBufferPointer { bytes throws(JSONFailure) in try parse(bytes) }
    }

    /// Reads one JSON value that fills all the bytes.
    public static func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONFailure) -> JSON {
        var parser = Parser(bytes: bytes)
        parser.skipSpace()
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.at == bytes.count else { throw parser.failure("something follows the value") }
        return value
    }
}

/// Event lines are read by the hundred thousand: strings without escapes and plain numbers take no detour.
private struct Parser {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0

    func failure(_ reason: String) -> JSONFailure {
        JSONFailure(reason: reason, line: 1 + bytes[..<min(at, bytes.count)].count { $0 == 0x0a })
    }

    @inline(__always)
    mutating func skipSpace() {
        while at < bytes.count, bytes[at] <= 0x20, bytes[at] == 0x20 || (0x09...0x0d).contains(bytes[at]) { at += 1 }
    }

    @inline(__always)
    mutating func take(_ unit: Unicode.Scalar) -> Bool {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: unit) else { return false }
        at += 1
        return true
    }

    mutating func value(depth: Int) throws(JSONFailure) -> JSON {
        skipSpace()
        guard depth < 200 else { throw failure("it is nested deeper than 200") }
        guard at < bytes.count else { throw failure("it ends early") }
        switch bytes[at] {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        default:
            if let number = plainNumber() { return number }
            return try word()
        }
    }

    mutating func object(depth: Int) throws(JSONFailure) -> JSON {
        at += 1
        var members: [JSON.Member] = []
        if take("}") { return .object(members) }
        repeat {
            skipSpace()
            guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw failure("a key must be a string") }
            let key = try string()
            guard take(":") else { throw failure("after the key “\(key)” a colon is missing") }
            members.append(JSON.Member(key, try value(depth: depth + 1)))
        } while take(",")
        guard take("}") else { throw failure("an object is not closed") }
        return .object(members)
    }

    mutating func array(depth: Int) throws(JSONFailure) -> JSON {
        at += 1
        var values: [JSON] = []
        if take("]") { return .array(values) }
        repeat { values.append(try value(depth: depth + 1)) } while take(",")
        guard take("]") else { throw failure("an array is not closed") }
        return .array(values)
    }

    /// Digits with at most one point, when the number can be had exactly from them; nil for everything else.
    ///
    /// A whole number below 2^53 times or through a power of ten up to 10^22 rounds once, so it is right (Clinger 1990).
    private mutating func plainNumber() -> JSON? {
        var here = at
        let isNegative = bytes[here] == UInt8(ascii: "-")
        if isNegative { here += 1 }
        let start = here
        var digits: Int64 = 0
        var point: Int?
        while here < bytes.count, here - start < 17 {
            let unit = bytes[here]
            if unit >= 48, unit <= 57 {
                digits = digits * 10 + Int64(unit - 48)
            } else if unit == UInt8(ascii: "."), point == nil, here > start {
                point = here
            } else {
                break
            }
            here += 1
        }
        guard here < bytes.count, here > start, bytes[here] == 0x2c || bytes[here] == 0x7d || bytes[here] == 0x5d,
            bytes[start] != 48 || here == start + 1 || point == start + 1
        else { return nil }
        if let point {
            let places = here - point - 1
            guard places > 0, digits < 1 << 53 else { return nil }
            let value = Double(digits) / Self.powers[places]
            at = here
            return .double(isNegative ? -value : value)
        }
        at = here
        return .int(isNegative ? -digits : digits)
    }

    private static let powers: [Double] = (0...22).map { (0..<$0).reduce(1.0) { power, _ in power * 10 } }

    mutating func word() throws(JSONFailure) -> JSON {
        let start = at
        while at < bytes.count, !(bytes[at] <= 0x20), !",]}:".utf8.contains(bytes[at]) { at += 1 }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        switch text {
        case "null": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "NaN", "Infinity", "-Infinity": return .string(text)
        default: break
        }
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        if let first = digits.utf8.first, (48...57).contains(first),
            first != 48 || digits.utf8.dropFirst().first.map({ !(48...57).contains($0) }) ?? true
        {
            if let value = Int64(text) { return .int(value) }
            let hasDigitsAfterPoint = digits.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
                .allSatisfy { $0.utf8.first.map { (48...57).contains($0) } ?? false }
            if hasDigitsAfterPoint, !text.utf8.contains(UInt8(ascii: "x")), let value = Double(text) {
                return .double(value)
            }
        }
        at = start
        throw failure("“\(text.prefix(40))” is no value")
    }

    mutating func string() throws(JSONFailure) -> String {
        at += 1
        let start = at
        var all: UInt8 = 0
        while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\"), bytes[at] >= 0x20 {
            all |= bytes[at]
            at += 1
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: "\""), all < 0x80 {
            defer { at += 1 }
            return String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
        }
        var units = Array(bytes[start..<at])
        while at < bytes.count {
            let unit = bytes[at]
            at += 1
            switch unit {
            case UInt8(ascii: "\""):
                guard let text = String(validating: units, as: UTF8.self) else {
                    throw failure("a string is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): try escape(into: &units)
            case 0..<0x20: throw failure("a control character stands in a string")
            default: units.append(unit)
            }
        }
        throw failure("a string is not closed")
    }

    mutating func escape(into units: inout [UInt8]) throws(JSONFailure) {
        guard at < bytes.count else { throw failure("a string is not closed") }
        let unit = bytes[at]
        at += 1
        switch unit {
        case UInt8(ascii: "n"): units.append(0x0a)
        case UInt8(ascii: "r"): units.append(0x0d)
        case UInt8(ascii: "t"): units.append(0x09)
        case UInt8(ascii: "b"): units.append(0x08)
        case UInt8(ascii: "f"): units.append(0x0c)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(unit)
        case UInt8(ascii: "u"):
            var code = try hex4()
            if (0xd800..<0xdc00).contains(code), at + 1 < bytes.count, bytes[at] == 0x5c, bytes[at + 1] == 0x75 {
                at += 2
                let low = try hex4()
                guard (0xdc00..<0xe000).contains(low) else { throw failure("half a surrogate pair") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
            units += String(Character(scalar)).utf8
        default: throw failure("an unknown escape")
        }
    }

    mutating func hex4() throws(JSONFailure) -> UInt32 {
        guard at + 4 <= bytes.count,
            let code = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw failure("an unknown escape") }
        at += 4
        return code
    }
}
