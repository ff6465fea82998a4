/// A pattern of paths as `.gitignore` has them: `*.py` matches at any depth, `plots/**` below a folder, `/x` at the top.
public struct PathPattern: Sendable {
    private let parts: [[UInt8]]

    public init(_ text: String) {
        var text = text[...]
        let isAnchored = text.dropLast().contains("/")
        if text.hasPrefix("/") { text = text.dropFirst() }
        if text.hasSuffix("/") { text += "**" }
        var parts = text.split(separator: "/").map { Array($0.utf8) }
        if !isAnchored { parts.insert(Array("**".utf8), at: 0) }
        self.parts = parts
    }

    /// Whether a path from the top of the work tree matches.
    public func matches(_ path: String) -> Bool {
        Self.match(parts[...], path.split(separator: "/").map { Array($0.utf8) }[...])
    }

    /// The folder that everything that matches lies in, or the one path: what has to be looked at.
    public var fixedPrefix: String {
        parts.prefix { !$0.contains { "*?[".utf8.contains($0) } }
            .map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    }

    private static func match(_ pattern: ArraySlice<[UInt8]>, _ path: ArraySlice<[UInt8]>) -> Bool {
        guard let first = pattern.first else { return path.isEmpty }
        if first.elementsEqual("**".utf8) {
            if pattern.count == 1 { return !path.isEmpty }
            return (path.startIndex...path.endIndex).contains { match(pattern.dropFirst(), path[$0...]) }
        }
        guard let name = path.first, matchName(first[...], name[...]) else { return false }
        return match(pattern.dropFirst(), path.dropFirst())
    }

    private static func matchName(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        switch first {
        case UInt8(ascii: "*"):
            return (name.startIndex...name.endIndex).contains { matchName(pattern.dropFirst(), name[$0...]) }
        case UInt8(ascii: "?"): return !name.isEmpty && matchName(pattern.dropFirst(), name.dropFirst())
        case UInt8(ascii: "["):
            guard let close = pattern.dropFirst(2).firstIndex(of: UInt8(ascii: "]")), let unit = name.first else {
                return name.first == first && matchName(pattern.dropFirst(), name.dropFirst())
            }
            return isIn(pattern[pattern.startIndex + 1..<close], unit)
                && matchName(pattern[(close + 1)...], name.dropFirst())
        default: return name.first == first && matchName(pattern.dropFirst(), name.dropFirst())
        }
    }

    /// Whether a character is in a class such as `a-z0` or `!a-z`.
    private static func isIn(_ set: ArraySlice<UInt8>, _ unit: UInt8) -> Bool {
        let isNegated = set.first == UInt8(ascii: "!") || set.first == UInt8(ascii: "^")
        var rest = isNegated ? set.dropFirst() : set
        var found = false
        while let low = rest.popFirst() {
            if rest.first == UInt8(ascii: "-"), rest.count > 1 {
                rest.removeFirst()
                let high = rest.removeFirst()
                if low <= high, (low...high).contains(unit) { found = true }
            } else if low == unit {
                found = true
            }
        }
        return found != isNegated
    }
}
