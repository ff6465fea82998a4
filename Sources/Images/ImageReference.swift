public import SystemPackage

/// Where an image is, or shall go: `oci:DIR[:TAG]` or `HOST/REPOSITORY[:TAG]`.
public enum ImageReference: Sendable, Equatable, CustomStringConvertible {
    case layout(FilePath, tag: String?)
    case registry(host: String, repository: String, tag: String?)

    /// Reads a reference as skopeo and docker write it.
    ///
    /// A name without a host means Docker Hub, as it does there. Throws ``ImageFailure/unsupported(reference:)`` for
    /// what this version cannot write (`docker-archive:`), and ``ImageFailure/badReference(_:)`` for what is none.
    public init(_ text: String) throws {
        if text.hasPrefix("oci:") {
            let rest = text.dropFirst(4)
            let colon = rest.lastIndex(of: ":").flatMap { rest[$0...].contains("/") ? nil : $0 }
            let folder = colon.map { rest[..<$0] } ?? rest
            let tag = colon.map { String(rest[rest.index(after: $0)...]) }
            guard !folder.isEmpty, tag.map(Self.isTag) ?? true else { throw ImageFailure.badReference(text) }
            self = .layout(FilePath(String(folder)), tag: tag)
            return
        }
        if text.hasPrefix("docker-archive:") || text.hasPrefix("oci-archive:") {
            throw ImageFailure.unsupported(reference: text)
        }
        let rest = text.hasPrefix("docker://") ? text.dropFirst(9) : text[...]
        var parts = rest.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var host = "docker.io"
        if parts.count > 1, let first = parts.first,
            first.contains(where: { ".:".contains($0) }) || first == "localhost"
        {
            host = first
            parts.removeFirst()
        }
        var tag: String?
        if let last = parts.last, let colon = last.firstIndex(of: ":") {
            tag = String(last[last.index(after: colon)...])
            parts[parts.count - 1] = String(last[..<colon])
        }
        guard !parts.isEmpty, parts.allSatisfy(Self.isPart), tag.map(Self.isTag) ?? true else {
            throw ImageFailure.badReference(text)
        }
        self = .registry(host: host, repository: parts.joined(separator: "/"), tag: tag)
    }

    /// A part of a repository's name: lower-case letters and digits, with `.`, `_`, `-` between them.
    private static func isPart(_ text: String) -> Bool {
        let plain = { (unit: UInt8) in (97...122).contains(unit) || (48...57).contains(unit) }
        guard let first = text.utf8.first, let last = text.utf8.last, plain(first), plain(last) else { return false }
        return text.utf8.allSatisfy { plain($0) || "._-".utf8.contains($0) }
    }

    static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128, !".-".utf8.contains(first) else { return false }
        return text.utf8.allSatisfy {
            (97...122).contains($0) || (65...90).contains($0) || (48...57).contains($0) || "._-".utf8.contains($0)
        }
    }

    /// The same place with a tag.
    public func tagged(_ tag: String) -> ImageReference {
        switch self {
        case .layout(let folder, _): .layout(folder, tag: tag)
        case .registry(let host, let repository, _): .registry(host: host, repository: repository, tag: tag)
        }
    }

    public var tag: String? {
        switch self {
        case .layout(_, let tag), .registry(_, _, let tag): tag
        }
    }

    public var description: String {
        switch self {
        case .layout(let folder, let tag): "oci:\(folder)" + (tag.map { ":" + $0 } ?? "")
        case .registry(let host, let repository, let tag): "\(host)/\(repository)" + (tag.map { ":" + $0 } ?? "")
        }
    }
}
