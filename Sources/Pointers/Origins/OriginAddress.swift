internal import Base
public import SystemPackage

/// Where another repository is: what `git clone` takes, with paths on this machine made absolute.
public struct OriginAddress: Hashable, Sendable {
    /// What git is given.
    public let text: String
    /// The folder on this machine; nil for what is reached over a network.
    public let folder: FilePath?
    /// It was a relative path.
    private let isRelative: Bool

    /// Reads an address; relative paths count from `directory`.
    public init(_ text: String, from directory: FilePath) throws(OriginFailure) {
        // What starts with a dash would be an option; `ext::` and other helpers run programs.
        guard !text.isEmpty, !text.hasPrefix("-"), !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }),
            !Self.isHelper(text)
        else { throw .badAddress(text) }
        if text.hasPrefix("file://") {
            let path = Self.decoded(text.dropFirst("file://".count).drop { $0 != "/" })
            guard !path.isEmpty else { throw .badAddress(text) }
            self.text = text
            folder = FilePath(path)
            isRelative = false
        } else if Self.isRemote(text) {
            guard !text.contains("://") || Self.schemes.contains(where: { text.hasPrefix($0 + "://") }) else {
                throw .badAddress(text)
            }
            self.text = text
            folder = nil
            isRelative = false
        } else {
            let path = directory.pushing(FilePath(text)).lexicallyNormalized()
            self.text = path.string
            folder = path
            isRelative = !text.hasPrefix("/")
        }
    }

    private static let schemes = ["http", "https", "ssh", "git", "git+ssh", "ssh+git"]

    /// Whether a word on the command line is meant as a repository: a URL, `host:path`, or a folder with a repository in it.
    public static func names(_ word: String) -> Bool {
        if word.hasPrefix("file://") || isRemote(word) { return true }
        let folder = FilePath(word)
        return Files.exists(folder.appending(".git"))
            || ["HEAD", "objects", "refs"].allSatisfy { Files.exists(folder.appending($0)) }
    }

    /// By git's rule: a colon before the first slash is a host's end, unless a file of that name is there.
    private static func isRemote(_ text: String) -> Bool {
        if text.contains("://") { return true }
        guard let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/"), colon != text.startIndex else {
            return false
        }
        return !Files.exists(FilePath(text))
    }

    private static func isHelper(_ text: String) -> Bool {
        guard let mark = text.firstRange(of: "::") else { return false }
        return text[..<mark.lowerBound].allSatisfy { $0.isLetter || $0.isNumber || "+-.".contains($0) }
    }

    /// Without user and password, for messages.
    public var shown: String {
        guard let scheme = text.firstRange(of: "://") else { return text }
        let tail = text[scheme.upperBound...]
        let host = tail.prefix { $0 != "/" }
        guard let at = host.lastIndex(of: "@"), host[..<at].contains(":") else { return text }
        return String(text[..<scheme.upperBound] + tail[tail.index(after: at)...])
    }

    /// What is committed: without secrets, and a path that was given as relative counts from `workTree`, so that it holds for
    /// others whose clones lie side by side in the same way.
    func recorded(in workTree: FilePath) -> String {
        guard let folder, isRelative else { return shown }
        let (from, to) = (Array(workTree.lexicallyNormalized().components), Array(folder.components))
        let shared = zip(from, to).prefix { $0 == $1 }.count
        let parts = from[shared...].map { _ in ".." } + to[shared...].map(\.string)
        return parts.first == ".." ? parts.joined(separator: "/") : "./" + parts.joined(separator: "/")
    }

    /// What a folder of it would be called.
    public var name: String {
        let last = text.split { $0 == "/" || $0 == ":" }.last.map(String.init) ?? "repository"
        return last.hasSuffix(".git") && last.utf8.count > 4 ? String(last.dropLast(4)) : last
    }

    private static func decoded(_ text: Substring) -> String {
        let units = Array(text.utf8)
        var result: [UInt8] = []
        var i = 0
        while i < units.count {
            if units[i] == 0x25, i + 2 < units.count,
                let value = UInt8(String(decoding: units[i + 1...i + 2], as: UTF8.self), radix: 16), value != 0
            {
                result.append(value)
                i += 3
            } else {
                result.append(units[i])
                i += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
