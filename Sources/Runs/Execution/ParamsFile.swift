internal import Base
internal import SystemPackage

/// Edits the file of parameters for `-p key=value`, leaving all else in it as it is.
struct ParamsFile {
    /// What an edit did: for people.
    struct Edit: Equatable {
        let file: String
        let key: String
        /// Nil when the key is new.
        let old: String?
        let new: String

        var description: String { "\(file): \(key) " + (old.map { "\($0) → \(new)" } ?? "= \(new) (new)") }
    }

    /// The first of the declared files that is there, else `params.yaml`.
    private let name: String
    private let file: FilePath

    init(_ workTree: FilePath, declared: [String]) {
        let present = declared.first { Files.status(workTree.appending(FilePath($0).components))?.kind == .file }
        name = present ?? declared.first { !$0.contains("*") } ?? "params.yaml"
        file = workTree.appending(FilePath(name).components)
    }

    /// Makes all the edits, or none.
    func apply(_ pairs: [(key: String, value: String)]) throws -> [Edit] {
        guard !pairs.isEmpty else { return [] }
        var text = try Files.readText(file) ?? ""
        var edits: [Edit] = []
        for (key, value) in pairs {
            let old: String?
            if name.hasSuffix(".json") {
                (text, old) = try json(key, value, text)
            } else if name.hasSuffix(".toml") {
                (text, old) = try toml(key, value, text)
            } else {
                (text, old) = try yaml(key, value, text)
            }
            edits.append(Edit(file: name, key: key, old: old, new: value))
        }
        try Files.replace(file, with: text.utf8)
        return edits
    }

    private func yaml(_ key: String, _ value: String, _ text: String) throws -> (String, String?) {
        do {
            return try YAMLEdit.set(key, to: value, in: text)
        } catch .noKey(let nearest) {
            if let nearest { throw ParamsFailure.unknown(key: key, file: name, nearest: nearest) }
            let parts = key.split(separator: ".").map(String.init)
            guard let top = parts.first else { throw ParamsFailure.unknown(key: key, file: name, nearest: nil) }
            if try ValueFile.read(Array(text.utf8), path: name).keys.contains(where: {
                $0 == top || $0.hasPrefix(top + ".")
            }) {
                throw ParamsFailure.unknown(key: key, file: name, nearest: nil)
            }
            var new = text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"
            for (depth, part) in parts.enumerated() {
                new += String(repeating: "  ", count: depth) + YAMLEdit.literal(part) + ":"
                new += depth == parts.count - 1 ? " \(YAMLEdit.literal(value))\n" : "\n"
            }
            return (new, nil)
        } catch .notSingle {
            throw ParamsFailure.notSingle(key: key, file: name)
        } catch .notYAML(let reason) {
            throw ValueFileFailure(path: name, reason: reason)
        }
    }

    private func json(_ key: String, _ value: String, _ text: String) throws -> (String, String?) {
        let root = text.isEmpty ? JSON.object([]) : try context(name) { try JSON.parse(text) }
        let new = (try? JSON.parse(value)) ?? .string(value)
        guard let (result, old) = Self.set(key.split(separator: ".").map(String.init)[...], new, in: root) else {
            throw ParamsFailure.notSingle(key: key, file: name)
        }
        return (result.pretty + "\n", old.map { $0.string ?? $0.description })
    }

    private static func set(_ path: ArraySlice<String>, _ value: JSON, in json: JSON) -> (JSON, JSON?)? {
        guard let first = path.first else { return json.members == nil && json.array == nil ? (value, json) : nil }
        guard var members = json.members else { return nil }
        let rest = path.dropFirst()
        guard let at = members.firstIndex(where: { $0.key == first }) else {
            guard rest.isEmpty else { return nil }
            return (.object(members + [JSON.Member(first, value)]), nil)
        }
        guard let (inner, old) = set(rest, value, in: members[at].value) else { return nil }
        members[at] = JSON.Member(first, inner)
        return (.object(members), old)
    }

    /// TOML by lines: `[table]`, then `key = value`, comments kept.
    private func toml(_ key: String, _ value: String, _ text: String) throws -> (String, String?) {
        var table = ""
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for (i, line) in lines.enumerated() {
            let bare = line.drop { $0 == " " }
            if bare.hasPrefix("["), let close = bare.firstIndex(of: "]") {
                table = String(bare[bare.index(after: bare.startIndex)..<close])
                continue
            }
            guard let equals = line.firstIndex(of: "=") else { continue }
            let name = String(line[..<equals]).filter { $0 != " " && $0 != "\"" }
            guard (table.isEmpty ? name : "\(table).\(name)") == key else { continue }
            let rest = line[line.index(after: equals)...]
            let isQuoted = rest.drop { $0 == " " }.hasPrefix("\"")
            let comment = isQuoted ? nil : rest.firstIndex(of: "#")
            let old = String(rest[..<(comment ?? rest.endIndex)].drop { $0 == " " }).trimmingTrailingSpace
            let isPlain = Double(value) != nil || ["true", "false"].contains(value) || value.hasPrefix("[")
            lines[i] = line[...equals] + " " + (isPlain ? value : JSON.string(value).description)
            if let comment { lines[i] += " " + rest[comment...] }
            return (lines.joined(separator: "\n"), isQuoted ? String(old.dropFirst().dropLast()) : old)
        }
        throw ParamsFailure.unknown(key: key, file: self.name, nearest: nil)
    }
}

/// Why `-p` could not set a parameter.
enum ParamsFailure: Failure, Equatable {
    case unknown(key: String, file: String, nearest: String?)
    case notSingle(key: String, file: String)

    var kind: FailureKind { .user }
    var description: String {
        switch self {
        case .unknown(let key, let file, _): "\(file) has no parameter “\(key)”"
        case .notSingle(let key, let file): "“\(key)” in \(file) is not a single value on one line"
        }
    }
    var hints: [String] {
        switch self {
        case .unknown(_, let file, let nearest):
            [nearest.map { "did you mean “\($0)”?" } ?? "write it into \(file) first, where it belongs"]
        case .notSingle(_, let file): ["change it in \(file) with an editor, then run without -p for it"]
        }
    }
}
