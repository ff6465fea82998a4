public import Base
public import SystemPackage

/// A repository of a registry: `ghcr.io/acme/churn`.
public struct RepositoryName: Sendable, Hashable, CustomStringConvertible {
    /// With its port; Docker Hub is `docker.io`.
    public let host: String
    /// `acme/churn`; at Docker Hub never without a first part (`library/python`).
    public let path: String

    public var description: String { "\(host)/\(path)" }
}

/// Where an image is, or shall go, in the words of skopeo, podman and docker.
///
/// `docker.io/acme/churn:v1`, `localhost:5000/churn@sha256:…`, `oci:DIR[:TAG]`, `docker-archive:FILE[:[NAME:]TAG]` and
/// `oci-archive:FILE[:TAG]`.
public enum ImageReference: Sendable, Equatable, CustomStringConvertible {
    /// How a file with an image in it is laid out.
    public enum ArchiveForm: String, Sendable {
        /// As `docker save` writes it; it has no digest of its own.
        case docker = "docker-archive"
        /// An OCI layout in a tar archive.
        case oci = "oci-archive"
    }

    /// A digest goes before a tag.
    case registry(RepositoryName, tag: String?, digest: Digest?)
    case layout(FilePath, tag: String?, digest: Digest?)
    case archive(ArchiveForm, FilePath, name: String?, tag: String?)

    /// Reads a reference; a name without a host means Docker Hub, as it does there.
    ///
    /// Throws ``ImageFailure/badReference(_:)``.
    public init(_ text: String) throws {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) || text.hasPrefix("oci") || text.contains("-archive:")
        else { throw ImageFailure.badReference(text) }
        let parsed: ImageReference? =
            if text.hasPrefix("oci:") {
                Self.layout(text.dropFirst(4))
            } else if text.hasPrefix("docker-archive:") {
                Self.archive(.docker, text.dropFirst(15))
            } else if text.hasPrefix("oci-archive:") {
                Self.archive(.oci, text.dropFirst(12))
            } else {
                Self.registry(text.hasPrefix("docker://") ? text.dropFirst(9) : text[...])
            }
        guard let parsed else { throw ImageFailure.badReference(text) }
        self = parsed
    }

    // MARK: Reading

    private static func layout(_ text: Substring) -> ImageReference? {
        let (rest, digest) = splitDigest(text)
        guard let rest else { return nil }
        let (folder, tag) = splitTag(rest)
        guard !folder.isEmpty, tag.map(isTag) ?? true else { return nil }
        return .layout(FilePath(String(folder)), tag: tag, digest: digest)
    }

    private static func archive(_ form: ArchiveForm, _ text: Substring) -> ImageReference? {
        let file = text.prefix { $0 != ":" }
        guard !file.isEmpty else { return nil }
        let rest = text.dropFirst(file.count + 1)
        if file.endIndex == text.endIndex {
            return .archive(form, FilePath(String(file)), name: nil, tag: nil)
        }
        var name: Substring?
        var tag = rest
        if let colon = rest.lastIndex(of: ":") {
            name = rest[..<colon]
            tag = rest[rest.index(after: colon)...]
        }
        guard isTag(String(tag)) else { return nil }
        if let name {
            guard form == .docker, case .registry(let found, nil, nil)? = registry(name) else { return nil }
            return .archive(form, FilePath(String(file)), name: "\(found)", tag: String(tag))
        }
        return .archive(form, FilePath(String(file)), name: nil, tag: String(tag))
    }

    private static func registry(_ text: Substring) -> ImageReference? {
        let (rest, digest) = splitDigest(text)
        guard let rest else { return nil }
        let (name, tag) = splitTag(rest)
        var parts = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        var host = "docker.io"
        if parts.count > 1, let first = parts.first,
            first.contains(where: { ".:[".contains($0) }) || first == "localhost"
        {
            guard isHost(first) else { return nil }
            host = first.lowercased()
            parts.removeFirst()
        }
        if ["index.docker.io", "registry-1.docker.io"].contains(host) { host = "docker.io" }
        if host == "docker.io", parts.count == 1 { parts.insert("library", at: 0) }
        let path = parts.joined(separator: "/")
        guard !parts.isEmpty, parts.allSatisfy(isPart), path.utf8.count <= 255, tag.map(isTag) ?? true else {
            return nil
        }
        return .registry(RepositoryName(host: host, path: path), tag: tag, digest: digest)
    }

    /// What stands before an `@sha256:…`, nil when something else follows the `@`.
    private static func splitDigest(_ text: Substring) -> (Substring?, Digest?) {
        guard let at = text.lastIndex(of: "@") else { return (text, nil) }
        let digest = text[text.index(after: at)...]
        guard digest.hasPrefix("sha256:"), let value = Digest(digest) else { return (nil, nil) }
        return (text[..<at], value)
    }

    /// A colon behind the last slash begins a tag.
    private static func splitTag(_ text: Substring) -> (Substring, String?) {
        guard let colon = text.lastIndex(of: ":"), !text[colon...].contains("/") else { return (text, nil) }
        return (text[..<colon], String(text[text.index(after: colon)...]))
    }

    private static func isHost(_ text: String) -> Bool {
        var name = text[...]
        if let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
            guard UInt16(text[text.index(after: colon)...]) != nil else { return false }
            name = text[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") {
            return name.dropFirst().dropLast().allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
        }
        return !name.isEmpty && !name.hasPrefix("-")
            && name.utf8.allSatisfy { isAlphanumeric($0) || ".-".utf8.contains($0) }
    }

    /// A part of a repository's name: lower-case letters and digits, parted by `.`, `_`, `__` or any number of `-`.
    static func isPart(_ text: String) -> Bool {
        let words = text.split(omittingEmptySubsequences: false) { "._-".contains($0) }
        guard text.utf8.allSatisfy({ isPlain($0) || "._-".utf8.contains($0) }), words.first?.isEmpty == false,
            words.last?.isEmpty == false
        else { return false }
        let separators = text.split { !"._-".contains($0) }
        return separators.allSatisfy { [".", "_", "__"].contains($0) || $0.allSatisfy { $0 == "-" } }
    }

    private static func isPlain(_ unit: UInt8) -> Bool { (97...122).contains(unit) || (48...57).contains(unit) }
    private static func isAlphanumeric(_ unit: UInt8) -> Bool { isPlain(unit) || (65...90).contains(unit) }

    /// At most 128 letters, digits and `._-`, the first one neither `.` nor `-`.
    static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
        return (isAlphanumeric(first) || first == UInt8(ascii: "_"))
            && text.utf8.allSatisfy { isAlphanumeric($0) || "._-".utf8.contains($0) }
    }
}

extension ImageReference {
    /// The same place under another tag, and without a digest.
    public func tagged(_ tag: String) -> ImageReference {
        switch self {
        case .registry(let name, _, _): .registry(name, tag: tag, digest: nil)
        case .layout(let folder, _, _): .layout(folder, tag: tag, digest: nil)
        case .archive(let form, let file, let name, _): .archive(form, file, name: name, tag: tag)
        }
    }

    public var tag: String? {
        switch self {
        case .registry(_, let tag, _), .layout(_, let tag, _), .archive(_, _, _, let tag): tag
        }
    }

    public var digest: Digest? {
        switch self {
        case .registry(_, _, let digest), .layout(_, _, let digest): digest
        case .archive: nil
        }
    }

    /// Whether it is on this machine.
    public var isLocal: Bool { if case .registry = self { false } else { true } }

    /// The same with a relative path taken to start from a folder.
    public func below(_ folder: FilePath) -> ImageReference {
        switch self {
        case .layout(let path, let tag, let digest) where !path.isAbsolute:
            .layout(folder.appending(path.components), tag: tag, digest: digest)
        case .archive(let form, let path, let name, let tag) where !path.isAbsolute:
            .archive(form, folder.appending(path.components), name: name, tag: tag)
        default: self
        }
    }

    public var description: String {
        let tagged = tag.map { ":" + $0 } ?? ""
        let pinned = digest.map { "@\($0)" } ?? ""
        return switch self {
        case .registry(let name, _, _): "\(name)\(tagged)\(pinned)"
        case .layout(let folder, _, _): "oci:\(folder)\(tagged)\(pinned)"
        case .archive(let form, let file, let name, _):
            "\(form.rawValue):\(file)" + (name.map { ":" + $0 } ?? "") + tagged
        }
    }
}
