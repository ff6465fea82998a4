internal import Base

/// MLflow's rules for keys and names, in its words.
enum Names {
    static let longestKey = 250
    static let longestParam = 6000
    static let longestTag = 8000

    /// Refuses a key of a metric, parameter or tag that MLflow refuses.
    static func check(_ key: String, path: String, what: String, limit: Int = longestKey) throws {
        let isPlain = key.unicodeScalars.allSatisfy { unit in
            switch unit {
            case "/", "_", ".", "-", " ", ":": true
            default: unit.properties.isAlphabetic || unit.properties.numericType != nil
            }
        }
        guard isPlain else {
            throw MLflowFailure.value(
                .string(key), of: path,
                "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:)"
                    + " and slashes (/).")
        }
        let normal = normalized(key)
        guard normal == key, normal != ".", !normal.hasPrefix(".."), !normal.hasPrefix("/") else {
            throw MLflowFailure.value(
                .string(key), of: path,
                "Names may be treated as files in certain cases, and must not resolve to other names when treated as"
                    + " such. This name would resolve to '\(normal)'")
        }
        try checkLength(key, what, limit)
    }

    static func checkLength(_ text: String, _ what: String, _ limit: Int) throws {
        guard text.unicodeScalars.count <= limit else {
            throw MLflowFailure.invalid("'\(what)' exceeds the maximum length of \(limit) characters")
        }
    }

    /// The first characters of a value that is too long.
    static func cut(_ text: String, _ limit: Int) -> String {
        if text.utf8.count <= limit { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(limit)))
    }

    /// Python's `posixpath.normpath`.
    static func normalized(_ path: String) -> String {
        if path.isEmpty { return "." }
        let isAbsolute = path.hasPrefix("/")
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", let last = parts.last, last != ".." {
                parts.removeLast()
            } else if part != ".." || !isAbsolute {
                parts.append(part)
            }
        }
        let text = (isAbsolute ? "/" : "") + parts.joined(separator: "/")
        return text.isEmpty ? "." : text
    }

    /// A path inside a folder, as a client writes it; refuses one that would leave it.
    static func artifactPath(_ path: String) throws -> String {
        if path.isEmpty { return "" }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let isInside = parts.allSatisfy { $0 != ".." && $0 != "." && !$0.isEmpty }
        let isPlain = path.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 && $0 != "\\" }
        guard isInside, isPlain, path.utf8.count <= 4096 else { throw MLflowFailure.invalid("Invalid path") }
        return path
    }
}
