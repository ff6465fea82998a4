/// An element of the XML that storage services answer with: names, text and children; attributes are passed over.
struct XMLElement: Equatable {
    let name: String
    var text = ""
    var children: [XMLElement] = []

    /// The first child of a name, whatever its namespace prefix.
    subscript(_ name: String) -> XMLElement? { children.first { $0.name == name } }
    func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }

    /// The root of a document; nil when it is not well-formed.
    static func parse(_ bytes: [UInt8]) -> XMLElement? {
        var reader = XMLReader(bytes)
        return reader.document()
    }
}

/// Reads a document from its start to its end, once.
private struct XMLReader {
    /// Deeper than any answer, and far from what a stack holds.
    private static let deepest = 32

    private let bytes: [UInt8]
    private var i = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() -> XMLElement? {
        var open: [XMLElement] = []
        while i < bytes.count {
            guard bytes[i] == UInt8(ascii: "<") else {
                let text = takeText()
                if open.isEmpty { continue }
                open[open.count - 1].text += text
                continue
            }
            if skip("<!--", to: "-->") || skip("<?", to: "?>") { continue }
            if let text = section() {
                if open.isEmpty { return nil }
                open[open.count - 1].text += text
                continue
            }
            // A document type could define entities: no service sends one.
            guard !starts("<!"), let tag = takeTag() else { return nil }
            if tag.isEnd {
                guard let done = open.popLast(), done.name == tag.name else { return nil }
                if open.isEmpty { return done }
                open[open.count - 1].children.append(done)
            } else if tag.isEmpty {
                if open.isEmpty { return XMLElement(name: tag.name) }
                open[open.count - 1].children.append(XMLElement(name: tag.name))
            } else {
                guard open.count < Self.deepest else { return nil }
                open.append(XMLElement(name: tag.name))
            }
        }
        return nil
    }

    private func starts(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard i + count <= bytes.count else { return false }
        return (0..<count).allSatisfy { bytes[i + $0] == text.utf8Start[$0] }
    }

    private mutating func skip(_ start: StaticString, to end: StaticString) -> Bool {
        guard starts(start) else { return false }
        while i < bytes.count, !starts(end) { i += 1 }
        i = min(bytes.count, i + end.utf8CodeUnitCount)
        return true
    }

    private mutating func section() -> String? {
        guard starts("<![CDATA[") else { return nil }
        i += 9
        let start = i
        while i < bytes.count, !starts("]]>") { i += 1 }
        defer { i = min(bytes.count, i + 3) }
        return String(decoding: bytes[start..<min(i, bytes.count)], as: UTF8.self)
    }

    private mutating func takeTag() -> (name: String, isEnd: Bool, isEmpty: Bool)? {
        let start = i + 1
        var quote: UInt8?
        while i < bytes.count {
            let byte = bytes[i]
            if byte == quote { quote = nil } else if quote == nil, byte == 34 || byte == 39 { quote = byte }
            if byte == UInt8(ascii: ">"), quote == nil { break }
            i += 1
        }
        guard i < bytes.count else { return nil }
        var content = String(decoding: bytes[start..<i], as: UTF8.self)[...]
        i += 1
        let isEnd = content.hasPrefix("/")
        if isEnd { content = content.dropFirst() }
        let isEmpty = content.hasSuffix("/")
        let name = content.prefix { !$0.isWhitespace && $0 != "/" }
        guard !name.isEmpty else { return nil }
        return (String(name.split(separator: ":").last ?? name), isEnd, isEmpty)
    }

    private mutating func takeText() -> String {
        let start = i
        while i < bytes.count, bytes[i] != UInt8(ascii: "<") { i += 1 }
        let raw = bytes[start..<i]
        let text = String(decoding: raw, as: UTF8.self)
        return raw.contains(UInt8(ascii: "&")) ? Self.unescaped(text) : text
    }

    private static func unescaped(_ text: String) -> String {
        var out = ""
        var rest = text[...]
        while let start = rest.firstIndex(of: "&") {
            out += rest[..<start]
            rest = rest[start...]
            guard let end = rest.firstIndex(of: ";"), let character = entity(rest[..<end].dropFirst()) else {
                out += "&"
                rest = rest.dropFirst()
                continue
            }
            out.append(character)
            rest = rest[end...].dropFirst()
        }
        return out + rest
    }

    private static func entity(_ name: Substring) -> Character? {
        switch name {
        case "lt": return "<"
        case "gt": return ">"
        case "amp": return "&"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard name.hasPrefix("#") else { return nil }
            let digits = name.dropFirst()
            let number = digits.hasPrefix("x") ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
            return number.flatMap(Unicode.Scalar.init).map(Character.init)
        }
    }
}
