internal import Base
internal import SystemPackage

/// What `.dvc/config`, `.dvc/config.local` and the user's own DVC settings say.
struct DVCConfig: Sendable {
    struct Value: Sendable {
        let text: String
        /// Where relative paths count from.
        let folder: FilePath
        /// Whether the file is the user's own; the committed one may be anybody's.
        let isOwn: Bool
    }

    /// By section and key, in lower case but for the names of remotes: `core.remote`, `remote "x".url`.
    private var values: [String: [String: Value]] = [:]

    /// Reads the settings of the project at `root`; the nearer file wins.
    init(root: FilePath, environment: [String: String] = Daemon.currentEnvironment()) throws {
        func variable(_ name: String) -> FilePath? { environment[name].flatMap { $0.isEmpty ? nil : FilePath($0) } }
        let folder = root.appending(".dvc")
        let system = variable("DVC_SYSTEM_CONFIG_DIR") ?? "/etc/xdg/dvc"
        let own =
            variable("DVC_GLOBAL_CONFIG_DIR")
            ?? (variable("XDG_CONFIG_HOME") ?? variable("HOME")?.appending(".config"))?.appending("dvc")
        try read(system.appending("config"), isOwn: true)
        if let own { try read(own.appending("config"), isOwn: true) }
        try read(folder.appending("config"), isOwn: false)
        try read(folder.appending("config.local"), isOwn: true)
    }

    subscript(_ section: String, _ key: String) -> Value? { values[section]?[key] }

    var remotes: [String] {
        values.keys.compactMap { $0.hasPrefix("remote \"") ? String($0.dropFirst(8).dropLast()) : nil }
    }

    func remote(_ name: String, _ key: String) -> Value? { self["remote \"\(name)\"", key] }

    /// Where DVC keeps content on this machine.
    func cache(root: FilePath) -> FilePath {
        guard let value = self["cache", "dir"] else { return root.appending(".dvc").appending("cache") }
        return value.folder.pushing(FilePath(value.text)).lexicallyNormalized()
    }

    // MARK: Reading

    private mutating func read(_ file: FilePath, isOwn: Bool) throws {
        guard let text = try Files.readText(file) else { return }
        var section = ""
        for (i, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = Self.trimmed(raw)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), let end = line.lastIndex(of: "]") {
                section = Self.section(Self.unquoted(Self.trimmed(line[line.index(after: line.startIndex)..<end])))
                continue
            }
            guard let equals = line.firstIndex(of: "=") else {
                throw DVCFailure.malformed(file: file.string, reason: "has no “=” in line \(i + 1)")
            }
            let key = Self.unquoted(Self.trimmed(line[..<equals])).lowercased()
            let value = Self.value(Self.trimmed(line[line.index(after: equals)...]))
            values[section, default: [:]][key] = Value(text: value, folder: file.removingLastComponent(), isOwn: isOwn)
        }
    }

    private static func section(_ text: String) -> String {
        guard text.hasPrefix("remote ") else { return text.lowercased() }
        return "remote \"\(unquoted(trimmed(text.dropFirst(7)[...])))\""
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }

    private static func unquoted(_ text: Substring) -> String {
        guard text.count >= 2, let first = text.first, first == text.last, "'\"".contains(first) else {
            return String(text)
        }
        return String(text.dropFirst().dropLast())
    }

    /// A value in quotes ends with them; any other at a comment.
    private static func value(_ text: Substring) -> String {
        if let quote = text.first, "'\"".contains(quote), let end = text.dropFirst().firstIndex(of: quote) {
            return String(text[text.index(after: text.startIndex)..<end])
        }
        guard let comment = text.firstIndex(of: "#") else { return String(text) }
        return String(trimmed(text[..<comment]))
    }
}
