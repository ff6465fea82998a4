internal import Base
public import SystemPackage

/// The lines of `.gitattributes` that send files through the filter, exactly as git-lfs writes them.
public struct Attributes {
    /// A line that sends files through the filter.
    public struct Pattern: Sendable, Equatable {
        public let text: String
        /// Whether files of it are read-only until they are locked.
        public let isLockable: Bool
    }

    static let suffix = " filter=lfs diff=lfs merge=lfs -text"
    private let file: FilePath

    /// The attributes at the top of a work tree.
    public init(workTree: FilePath) { file = workTree.appending(".gitattributes") }

    /// The patterns that are tracked now, in the order of the file.
    public func patterns() throws -> [Pattern] {
        try lines().filter { Self.words($0).contains("filter=lfs") }.compactMap { line in
            Self.words(line).first.map {
                Pattern(text: Self.unescaped($0), isLockable: Self.words(line).contains("lockable"))
            }
        }
    }

    /// The texts of ``patterns()``.
    public func tracked() throws -> [String] { try patterns().map(\.text) }

    /// Adds patterns that are not there yet and returns those; everything else in the file stays as it is.
    ///
    /// `lockable` nil leaves the attribute of a pattern that is there alone.
    public func add(_ patterns: [String], lockable: Bool? = nil) throws -> [String] {
        let known = try self.patterns()
        var new: [String] = []
        var changed: [String] = []
        for pattern in patterns where !new.contains(pattern) && !changed.contains(pattern) {
            if let old = known.last(where: { $0.text == pattern }) {
                if let lockable, lockable != old.isLockable { changed.append(pattern) }
            } else {
                new.append(pattern)
            }
        }
        if new.isEmpty, changed.isEmpty { return [] }
        let heads = Set(changed.map { Self.escaped($0) })
        var text = try lines().map { line in
            guard let head = Self.words(line).first, heads.contains(head), Self.words(line).contains("filter=lfs")
            else { return line }
            return lockable == true
                ? line + " lockable" : Self.words(line).filter { $0 != "lockable" }.joined(separator: " ")
        }.joined(separator: "\n")
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        for pattern in new {
            text += Self.escaped(pattern) + Self.suffix + (lockable == true ? " lockable" : "") + "\n"
        }
        try Files.replace(file, with: text.utf8)
        return new + changed
    }

    /// Leaves files of a pattern to git, whatever an earlier line says of them.
    func except(_ pattern: String) throws {
        var text = try Files.readText(file) ?? ""
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        try Files.replace(file, with: (text + Self.escaped(pattern) + " !filter !diff !merge !text\n").utf8)
    }

    /// Leaves the pointer files of datasets to git, whatever an earlier line says of the folder that they are in.
    func exceptDatasets() throws {
        var text = try Files.readText(file) ?? ""
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        try Files.replace(file, with: (text + "*\(DatasetPointer.suffix) !filter !diff merge=ml-dataset -text\n").utf8)
    }

    /// Removes patterns and returns those that were there.
    public func remove(_ patterns: [String]) throws -> [String] {
        let gone = try tracked().filter { patterns.contains($0) }
        if gone.isEmpty { return [] }
        let heads = Set(gone.map { Self.escaped($0) })
        let kept = try lines().filter { line in
            let words = Self.words(line)
            return !(words.contains("filter=lfs") && words.first.map { heads.contains($0) } ?? false)
        }
        try Files.replace(file, with: kept.joined(separator: "\n").utf8)
        return gone
    }

    /// The text of a file of attributes without the lines that track one of `names` (or any, with `isAll`), and what the other
    /// lines track.
    static func without(_ names: [String], isAll: Bool, in text: String) -> (text: String, tracked: [String]) {
        let heads = Set(names.map { escaped($0) })
        var tracked: [String] = []
        let kept = text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
            let words = words(String(line))
            guard words.contains("filter=lfs"), let head = words.first else { return true }
            if isAll || heads.contains(head) || heads.contains("/" + head) { return false }
            tracked.append(unescaped(head))
            return true
        }
        return (kept.joined(separator: "\n"), tracked)
    }

    /// The pattern that matches one file (or folder, with a slash at its end) and nothing else, as `git lfs track --filename`
    /// writes it.
    public static func literal(_ path: String) -> String {
        var text = ""
        for character in path.unicodeScalars {
            if "*?[]\\".unicodeScalars.contains(character) { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(character)
        }
        return text.hasPrefix("#") || text.hasPrefix("!") ? "\\" + text : text
    }

    /// The line that sends one file through the filter, with its end.
    public static func line(_ path: String) -> String { escaped("/" + literal(path)) + suffix + "\n" }

    private static func words(_ line: String) -> [String] {
        let line = line.hasSuffix("\r") ? String(line.dropLast()) : line
        guard !line.hasPrefix("#") else { return [] }
        // A pattern with special characters may stand in quotes, as C has them.
        if line.hasPrefix("\""), let end = line.dropFirst().firstIndex(of: "\"") {
            return [String(line[line.startIndex...end])]
                + line[line.index(after: end)...].split { $0 == " " || $0 == "\t" }.map(String.init)
        }
        return line.split { $0 == " " || $0 == "\t" }.map(String.init)
    }

    private func lines() throws -> [String] {
        (try Files.readText(file) ?? "").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    static func escaped(_ pattern: String) -> String {
        // A line ends a pattern: such names are matched by one character of any kind.
        let text = pattern.replacing(" ", with: "[[:space:]]").replacing("\n", with: "?").replacing(
            "\t", with: "[[:space:]]")
        return text.hasPrefix("#") || text.hasPrefix("\"") ? "\\" + text : text
    }

    private static func unescaped(_ word: String) -> String {
        let text = word.replacing("[[:space:]]", with: " ")
        return text.hasPrefix("\\#") || text.hasPrefix("\\\"") ? String(text.dropFirst()) : text
    }
}
