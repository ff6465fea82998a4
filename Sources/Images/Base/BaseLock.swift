public import Base
internal import SystemPackage

/// What a base reference meant when somebody looked: digests that never change their meaning.
public struct BasePin: Sendable, Equatable {
    /// Of the index, where the base is made for several platforms.
    public let index: Digest?
    public let manifest: Digest

    public init(index: Digest?, manifest: Digest) {
        self.index = index
        self.manifest = manifest
    }
}

/// `ml.lock`: which digests the tags of base images stand for, committed beside `ml.yaml`.
///
/// A new format, because no ecosystem has one for this: a base reference, and below it the index's digest and, for each
/// platform that was ever packaged for, the manifest's.
///
/// ```yaml
/// # Written by git ml package; --update-base renews it. Commit it.
/// version: 1
/// bases:
///   docker.io/library/python:3.12-slim:
///     index: sha256:…            # absent where the base is for one platform only
///     linux/amd64: sha256:…
/// ```
public struct BaseLock: Sendable, Equatable {
    public static let fileName = "ml.lock"

    /// By reference and then by platform.
    private var bases: [String: [String: BasePin]] = [:]

    public init() {}

    /// Reads the file; an unknown key or a digest that is none is an error that names the line.
    public init(_ text: String, file: String = fileName) throws {
        let fields = try YAMLNode.parse(text, file: file).fields(["version", "bases"])
        if let version = fields["version"], try version.int() != 1 {
            throw version.failure("this file has version \(try version.text())", hints: ["update git-ml"])
        }
        for base in try fields["bases"]?.entries() ?? [] {
            var digests: [String: Digest] = [:]
            for entry in try base.value.entries() {
                let text = try entry.value.text()
                guard text.hasPrefix("sha256:"), let digest = Digest(text) else {
                    throw entry.value.failure("“\(text)” is no SHA-256 digest")
                }
                digests[entry.key] = digest
            }
            let index = digests.removeValue(forKey: "index")
            bases[base.key] = digests.mapValues { BasePin(index: index, manifest: $0) }
        }
    }

    /// What a base is pinned to for a platform; nil: it is not.
    public subscript(_ reference: ImageReference, _ platform: Platform) -> BasePin? {
        bases["\(reference)"]?["\(platform)"]
    }

    /// Pins a base; pins of its other platforms stay only where they are of the same index.
    public mutating func pin(_ reference: ImageReference, _ platform: Platform, _ pin: BasePin) {
        let others = (bases["\(reference)"] ?? [:]).filter { pin.index != nil && $0.value.index == pin.index }
        bases["\(reference)"] = others.merging(["\(platform)": pin]) { $1 }
    }

    /// The file's whole text.
    public var text: String {
        var lines = ["# Written by git ml package; --update-base renews it. Commit it.", "version: 1", "bases:"]
        for (reference, pins) in bases.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(Self.quoted(reference)):")
            if let index = pins.values.compactMap(\.index).first { lines.append("    index: \(index)") }
            lines += pins.sorted { $0.key < $1.key }.map { "    \($0.key): \($0.value.manifest)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A key as YAML reads it back.
    private static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { unit in
            (97...122).contains(unit) || (65...90).contains(unit) || (48...57).contains(unit)
                || "/._:@-".utf8.contains(unit)
        }
        return isPlain ? text : JSON.string(text).description
    }
}
