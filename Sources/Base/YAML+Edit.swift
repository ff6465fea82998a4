internal import Yams

/// Changes single values in YAML text and leaves every other byte alone: comments, order, style.
public enum YAMLEdit {
    /// Why a value could not be changed.
    public enum Problem: Error, Equatable {
        /// The nearest known key, if one is near.
        case noKey(nearest: String?)
        case notSingle
        case notYAML(String)
    }

    /// Sets the value of a dotted key (`model.depth`; items of a list by number) and returns the new text and the old value.
    ///
    /// `value` is YAML: `0.1`, `true`, `[1, 2]`; what YAML would not read as one value is quoted.
    public static func set(_ key: String, to value: String, in text: String) throws(Problem) -> (
        text: String, old: String
    ) {
        let root: Node?
        do { root = try Yams.compose(yaml: text, .basic) } catch { throw .notYAML("\(error)") }
        guard let root, let node = find(key, in: root) else {
            throw .noKey(nearest: root.flatMap { Spelling.nearest(to: key, in: keys(of: $0, below: "")) })
        }
        guard case .scalar(let scalar) = node, let mark = node.mark,
            let range = extent(of: scalar, line: mark.line, column: mark.column, in: text)
        else { throw .notSingle }
        var new = text
        new.replaceSubrange(range, with: literal(value))
        return (new, scalar.string)
    }

    /// A value as it can stand in block and in flow style.
    public static func literal(_ value: String) -> String {
        if let plain = try? Yams.compose(yaml: "{k: \(value), l: 1}", .basic), let mapping = plain.mapping,
            mapping.count == 2, let inner = mapping["k"], value == value.trimmingTrailingSpace, !value.isEmpty
        {
            switch inner {
            case .scalar(let scalar): if scalar.style != .plain || scalar.string == value { return value }
            default: return value
            }
        }
        return JSON.string(value).description
    }

    /// All dotted keys that have a value of their own.
    private static func keys(of node: Node, below prefix: String) -> [String] {
        func join(_ part: String) -> String { prefix.isEmpty ? part : "\(prefix).\(part)" }
        switch node {
        case .mapping(let pairs): return pairs.flatMap { keys(of: $1, below: join($0.scalar?.string ?? "")) }
        case .sequence(let items): return items.enumerated().flatMap { keys(of: $1, below: join(String($0))) }
        default: return [prefix]
        }
    }

    private static func find(_ key: String, in node: Node) -> Node? {
        switch node {
        case .mapping(let pairs):
            for (name, value) in pairs {
                guard let name = name.scalar?.string else { continue }
                if name == key { return value }
                if key.hasPrefix(name + "."), let found = find(String(key.dropFirst(name.count + 1)), in: value) {
                    return found
                }
            }
            return nil
        case .sequence(let items):
            let number = key.prefix { $0 != "." }
            guard let i = Int(number), items.indices.contains(i) else { return nil }
            return number.count == key.count ? items[i] : find(String(key.dropFirst(number.count + 1)), in: items[i])
        default: return nil
        }
    }

    /// Where a scalar stands in the text; nil for one over several lines.
    ///
    /// Lines and columns count from 1.
    private static func extent(of scalar: Node.Scalar, line: Int, column: Int, in text: String) -> Range<String.Index>?
    {
        let scalars = text.unicodeScalars
        var start = scalars.startIndex
        for _ in 1..<max(1, line) {
            guard let end = scalars[start...].firstIndex(of: "\n") else { return nil }
            start = scalars.index(after: end)
        }
        guard let begin = scalars.index(start, offsetBy: column - 1, limitedBy: scalars.endIndex) else { return nil }
        let rest = scalars[begin...]
        switch scalar.style {
        case .singleQuoted, .doubleQuoted:
            guard let quote = rest.first, quote == "'" || quote == "\"" else { return nil }
            var at = rest.index(after: begin)
            while at < rest.endIndex, rest[at] != "\n" {
                if rest[at] == "\\", quote == "\"" {
                    at = rest.index(at, offsetBy: 2, limitedBy: rest.endIndex) ?? rest.endIndex
                    continue
                }
                let next = rest.index(after: at)
                if rest[at] == quote {
                    guard quote == "'", next < rest.endIndex, rest[next] == "'" else { return begin..<next }
                    at = rest.index(after: next)
                    continue
                }
                at = next
            }
            return nil
        case .plain, .any:
            guard rest.starts(with: scalar.string.unicodeScalars) else { return nil }
            return begin..<rest.index(begin, offsetBy: scalar.string.unicodeScalars.count)
        default: return nil
        }
    }
}
