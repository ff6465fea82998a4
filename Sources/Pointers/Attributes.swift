internal import Base
public import SystemPackage

/// The lines of `.gitattributes` that send files through the filter, exactly as git-lfs writes them.
public struct Attributes {
    private static let suffix = " filter=lfs diff=lfs merge=lfs -text"
    private let file: FilePath

    /// The attributes at the top of a work tree.
    public init(workTree: FilePath) { file = workTree.appending(".gitattributes") }

    /// The patterns that are tracked now, in the order of the file.
    public func tracked() throws -> [String] {
        try lines().filter { $0.contains("filter=lfs") }.compactMap { line in
            line.split(separator: " ").first.map { String($0.replacing("[[:space:]]", with: " ")) }
        }
    }

    /// Adds patterns that are not there yet and returns those; everything else in the file stays as it is.
    public func add(_ patterns: [String]) throws -> [String] {
        let known = try tracked()
        var new: [String] = []
        for pattern in patterns where !known.contains(pattern) && !new.contains(pattern) { new.append(pattern) }
        if new.isEmpty { return [] }
        var text = try Files.readText(file) ?? ""
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        for pattern in new { text += Self.escaped(pattern) + Self.suffix + "\n" }
        try Files.replace(file, with: text.utf8)
        return new
    }

    /// Removes patterns and returns those that were there.
    public func remove(_ patterns: [String]) throws -> [String] {
        let gone = try tracked().filter { patterns.contains($0) }
        if gone.isEmpty { return [] }
        let heads = Set(gone.map { Self.escaped($0) })
        let kept = try lines().filter { line in
            !(line.contains("filter=lfs")
                && line.split(separator: " ").first.map { heads.contains(String($0)) } ?? false)
        }
        try Files.replace(file, with: kept.joined(separator: "\n").utf8)
        return gone
    }

    private func lines() throws -> [String] {
        (try Files.readText(file) ?? "").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    private static func escaped(_ pattern: String) -> String { pattern.replacing(" ", with: "[[:space:]]") }
}
