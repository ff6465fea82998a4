internal import Base

/// Patterns that choose a part of a dataset.
///
/// As in `.gitignore`: a pattern without `/` matches a name at any depth, one with `/` starts at the dataset's top, `*`
/// does not cross `/`, `**` does, and what matches a folder chooses all that is below it.
public struct PathSelection: Sendable, Equatable {
    public var include: [String]
    public var exclude: [String]

    public init(include: [String] = [], exclude: [String] = []) {
        self.include = include
        self.exclude = exclude
    }

    public var isAll: Bool { include.isEmpty && exclude.isEmpty }

    /// One line a pattern, `+` or `-` before it.
    var text: String { (include.map { "+" + $0 } + exclude.map { "-" + $0 }).map { $0 + "\n" }.joined() }

    init(text: String) {
        let lines = text.split(separator: "\n")
        include = lines.filter { $0.hasPrefix("+") }.map { String($0.dropFirst()) }
        exclude = lines.filter { $0.hasPrefix("-") }.map { String($0.dropFirst()) }
    }

    func contains(_ path: [UInt8]) -> Bool {
        if isAll { return true }
        let names = path.split(separator: 0x2f).map { $0.map { CChar(bitPattern: $0) } + [0] }
        let isIncluded = include.isEmpty || include.contains { Self.matches($0, names) }
        return isIncluded && !exclude.contains { Self.matches($0, names) }
    }

    private static func matches(_ pattern: String, _ names: [[CChar]]) -> Bool {
        var parts = pattern.split(separator: "/").map(String.init)
        if !pattern.dropLast().contains("/") { parts.insert("**", at: 0) }
        return matches(parts[...], names[...])
    }

    private static func matches(_ parts: ArraySlice<String>, _ names: ArraySlice<[CChar]>) -> Bool {
        guard let part = parts.first else { return true }
        if part == "**" {
            if parts.count == 1 { return !names.isEmpty }
            return names.indices.contains { matches(parts.dropFirst(), names[$0...]) }
        }
        guard let name = names.first, fnmatch(part, name, 0) == 0 else { return false }
        return matches(parts.dropFirst(), names.dropFirst())
    }
}
