internal import Yams

/// A YAML value that knows where it stands, so that every complaint can name file and line.
public struct YAMLNode: Sendable {
    public enum Value: Sendable {
        /// A scalar: its text, and what YAML 1.2's core schema makes of it when it is not quoted.
        case scalar(String, JSON)
        case list([YAMLNode])
        case map([Entry])
    }

    /// A key of a map with its line and value.
    public struct Entry: Sendable {
        public let key: String
        /// Counted from 1.
        public let line: Int
        public let value: YAMLNode
    }

    public let value: Value
    public let file: String
    /// Counted from 1.
    public let line: Int
    /// How to get here from the top: `stages.prod.gate`.
    public let path: String
}

/// Something in a YAML file that cannot be used.
public struct YAMLFailure: Failure, Equatable {
    public let file: String
    public let line: Int
    public let reason: String
    public let hints: [String]

    public var kind: FailureKind { .user }
    public var description: String { "\(file):\(line): \(reason)" }
}

extension YAMLNode {
    /// Reads one YAML document; an empty one is an empty map.
    public static func parse(_ text: String, file: String) throws -> YAMLNode {
        do {
            guard let node = try Yams.compose(yaml: text, .basic) else {
                return YAMLNode(value: .map([]), file: file, line: 1, path: "")
            }
            return try YAMLNode(node, file: file, path: "", depth: 0)
        } catch let error as YamlError {
            let (line, reason) = error.place
            throw YAMLFailure(file: file, line: line, reason: "not YAML: \(reason)", hints: [])
        }
    }

    private init(_ node: Node, file: String, path: String, depth: Int) throws {
        let line = node.mark?.line ?? 1
        guard depth < 100 else {
            throw YAMLFailure(file: file, line: line, reason: "nested deeper than 100", hints: [])
        }
        self.file = file
        self.line = line
        self.path = path
        switch node {
        case .scalar(let scalar):
            value = .scalar(scalar.string, Self.plain(scalar, node))
        case .sequence(let items):
            value = .list(
                try items.enumerated().map {
                    try YAMLNode($0.element, file: file, path: "\(path)[\($0.offset)]", depth: depth + 1)
                })
        case .mapping(let pairs):
            var entries: [Entry] = []
            for (key, item) in pairs {
                let line = key.mark?.line ?? line
                guard let name = key.scalar?.string else {
                    throw YAMLFailure(file: file, line: line, reason: "a key must be a plain word", hints: [])
                }
                guard !entries.contains(where: { $0.key == name }) else {
                    throw YAMLFailure(file: file, line: line, reason: "the key “\(name)” stands here twice", hints: [])
                }
                let path = path.isEmpty ? name : "\(path).\(name)"
                entries.append(
                    Entry(key: name, line: line, value: try YAMLNode(item, file: file, path: path, depth: depth + 1)))
            }
            value = .map(entries)
        case .alias:
            throw YAMLFailure(file: file, line: line, reason: "an alias points nowhere", hints: [])
        }
    }

    private static func plain(_ scalar: Node.Scalar, _ node: Node) -> JSON {
        guard scalar.style == .any || scalar.style == .plain else { return .string(scalar.string) }
        let text = scalar.string
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case ".nan", ".NaN", ".NAN": return "NaN"
        case ".inf", ".Inf", ".INF", "+.inf": return "Infinity"
        case "-.inf", "-.Inf", "-.INF": return "-Infinity"
        default: break
        }
        let looksNumeric = text.utf8.allSatisfy { (48...57).contains($0) || "+-.eE".utf8.contains($0) }
        guard looksNumeric, text.utf8.contains(where: { (48...57).contains($0) }) else { return .string(text) }
        if let value = Int64(text) { return .int(value) }
        return Double(text).map { .double($0) } ?? .string(text)
    }

    /// The value as JSON, for files that are only data.
    public var json: JSON {
        switch value {
        case .scalar(_, let plain): plain
        case .list(let items): .array(items.map(\.json))
        case .map(let entries): .object(entries.map { JSON.Member($0.key, $0.value.json) })
        }
    }
}

extension YamlError {
    /// The line and the complaint, without the excerpt that Yams puts into its description.
    fileprivate var place: (line: Int, reason: String) {
        switch self {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            (mark.line, problem + (context.map { " \($0.text)" } ?? ""))
        case .reader(let problem, _, _, _): (1, problem)
        default: (1, "\(self)")
        }
    }
}

// MARK: - Reading settings

extension YAMLNode {
    public func failure(_ reason: String, hints: [String] = []) -> YAMLFailure {
        YAMLFailure(file: file, line: line, reason: reason, hints: hints)
    }

    private func wrong(_ wanted: String) -> YAMLFailure {
        let found =
            switch value {
            case .scalar(let text, _): text.isEmpty ? "nothing" : "“\(text)”"
            case .list: "a list"
            case .map: "a map"
            }
        return failure("\(path.isEmpty ? "the file" : "“\(path)”") must be \(wanted), not \(found)")
    }

    /// The entries of a map.
    ///
    /// An empty value counts as an empty map.
    public func entries() throws -> [Entry] {
        switch value {
        case .map(let entries): return entries
        case .scalar(_, .null): return []
        default: throw wrong("a map")
        }
    }

    /// The entries of a map whose keys are fixed; an unknown key is an error that names the nearest known one.
    ///
    /// Keys that start with `x-` are free at every level and are left out.
    public func fields(_ known: [String]) throws -> [String: YAMLNode] {
        var result: [String: YAMLNode] = [:]
        for entry in try entries() where !entry.key.hasPrefix("x-") {
            guard known.contains(entry.key) else {
                let place = path.isEmpty ? "" : " in “\(path)”"
                let nearest = Spelling.nearest(to: entry.key, in: known)
                throw YAMLFailure(
                    file: file, line: entry.line, reason: "unknown key “\(entry.key)”\(place)",
                    hints: [
                        nearest.map { "did you mean “\($0)”?" }
                            ?? "known keys are \(known.sorted().joined(separator: ", "))"
                    ])
            }
            result[entry.key] = entry.value
        }
        return result
    }

    public func text() throws -> String {
        guard case .scalar(let text, let plain) = value, plain != .null else { throw wrong("a text") }
        return text
    }

    public func bool() throws -> Bool {
        guard case .scalar(_, .bool(let value)) = value else { throw wrong("true or false") }
        return value
    }

    public func int() throws -> Int64 {
        guard case .scalar(_, .int(let value)) = value else { throw wrong("a whole number") }
        return value
    }

    public func number() throws -> Double {
        guard case .scalar(_, let plain) = value, plain.string == nil, let value = plain.double else {
            throw wrong("a number")
        }
        return value
    }

    public func list() throws -> [YAMLNode] {
        switch value {
        case .list(let items): return items
        case .scalar(_, .null): return []
        default: throw wrong("a list")
        }
    }

    public func texts() throws -> [String] { try list().map { try $0.text() } }

    /// A span of time such as `30s`, `10m`, `1h`, `500ms`.
    public func duration() throws -> Duration {
        guard let duration = try Duration(text: text()) else { throw wrong("a time such as 30s, 10m or 1h") }
        return duration
    }

    /// One of a few words.
    public func choice<T: RawRepresentable & CaseIterable>(_ type: T.Type) throws -> T where T.RawValue == String {
        let words = T.allCases.map(\.rawValue)
        guard let choice = T(rawValue: try text()) else {
            throw wrong("one of " + words.joined(separator: ", "))
        }
        return choice
    }
}

extension Duration {
    /// Reads `30s`, `10m`, `1h`, `2d` or `500ms`; nil for anything else.
    public init?(text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let value = Int64(digits), value < 1_000_000_000 else { return nil }
        switch text.dropFirst(digits.count) {
        case "ms": self = .milliseconds(value)
        case "s": self = .seconds(value)
        case "m": self = .seconds(value * 60)
        case "h": self = .seconds(value * 3600)
        case "d": self = .seconds(value * 86_400)
        default: return nil
        }
    }

    /// The span in seconds.
    public var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// Guessing what was meant.
public enum Spelling {
    /// The word that takes the fewest changes, if they are few.
    public static func nearest(to word: String, in words: [String]) -> String? {
        let best = words.map { (word: $0, distance: distance($0, word)) }.min { $0.distance < $1.distance }
        guard let best, best.distance <= max(1, word.count / 3) else { return nil }
        return best.word
    }

    /// The number of letters to change, add, remove or swap with their neighbour ("optimal string alignment").
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a), Array(b))
        var before: [Int] = []
        var row = Array(0...b.count)
        for i in a.indices {
            var next = [i + 1]
            for j in b.indices {
                var best = min(row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, before[j - 1] + 1) }
                next.append(best)
            }
            (before, row) = (row, next)
        }
        return row[b.count]
    }
}
