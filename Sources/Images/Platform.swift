internal import Base

/// What an image runs on: `linux/amd64`, `linux/arm/v7`.
public struct Platform: Sendable, Hashable, CustomStringConvertible {
    public let os: String
    /// In Go's words: `amd64`, `arm64`, `arm`, `ppc64le`, `s390x`, `riscv64`.
    public let architecture: String
    public let variant: String?

    init(os: String, architecture: String, variant: String? = nil) {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// Reads `OS/ARCHITECTURE[/VARIANT]`, with the names of `uname -m` too, or throws ``ImageFailure/badPlatform(_:)``.
    public init(_ text: String) throws {
        let parts = text.lowercased().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 95 }
        }
        guard (2...3).contains(parts.count), isPlain else { throw ImageFailure.badPlatform(text) }
        let names = ["x86_64": "amd64", "aarch64": "arm64", "armhf": "arm", "x86": "386"]
        self.init(
            os: parts[0], architecture: names[parts[1]] ?? parts[1],
            variant: parts.count > 2 ? parts[2] : parts[1] == "armhf" ? "v7" : nil)
    }

    init?(_ json: JSON) {
        guard let os = json["os"]?.string, let architecture = json["architecture"]?.string else { return nil }
        self.init(os: os, architecture: architecture, variant: json["variant"]?.string)
    }

    /// Linux on this machine's processor: what runs in a container here.
    public static var host: Platform {
        #if arch(arm64)
        Platform(os: "linux", architecture: "arm64")
        #else
        Platform(os: "linux", architecture: "amd64")
        #endif
    }

    public var description: String { "\(os)/\(architecture)" + (variant.map { "/" + $0 } ?? "") }

    /// How well an image for another platform runs on this one: 0 best, nil not at all.
    ///
    /// An arm processor runs what was made for older ones; `arm64` means v8, `amd64` v1, `arm` v7.
    func distance(of other: Platform) -> Int? {
        guard other.os == os, other.architecture == architecture else { return nil }
        let (mine, its) = (level, other.level)
        guard let mine, let its else { return variant == other.variant ? 0 : nil }
        return its <= mine ? mine - its : nil
    }

    private var level: Int? {
        let plain = ["arm64": 8, "amd64": 1, "arm": 7][architecture] ?? 0
        guard let variant else { return plain }
        return variant.hasPrefix("v") ? Int(variant.dropFirst()) : nil
    }
}
