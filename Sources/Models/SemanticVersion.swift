/// A version as Semantic Versioning 2.0.0 has it, written with a `v` in tags.
public struct SemanticVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    public enum Part: String, CaseIterable, Sendable { case major, minor, patch }

    public let major: Int
    public let minor: Int
    public let patch: Int
    /// Identifiers behind the `-`; empty for a release.
    public let prerelease: [String]
    /// What stands behind the `+`; it does not count in the order.
    public let build: String?

    public init(_ major: Int, _ minor: Int, _ patch: Int) {
        (self.major, self.minor, self.patch) = (major, minor, patch)
        prerelease = []
        build = nil
    }

    /// Reads `v1.2.3`, `1.2.3-rc.1+cuda`; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        self.init(bytes: bytes.first == UInt8(ascii: "v") ? bytes.dropFirst() : bytes[...])
    }

    /// The same without a `v` before it.
    init?(bytes: ArraySlice<UInt8>) {
        var rest = bytes
        var build: String?
        if let plus = rest.firstIndex(of: UInt8(ascii: "+")) {
            guard let parts = Self.identifiers(rest[(plus + 1)...]) else { return nil }
            build = parts.joined(separator: ".")
            rest = rest[..<plus]
        }
        var prerelease: [String] = []
        if let dash = rest.firstIndex(of: UInt8(ascii: "-")) {
            guard let parts = Self.identifiers(rest[(dash + 1)...]) else { return nil }
            guard !parts.contains(where: { Self.isNumeric($0) && $0.utf8.count > 1 && $0.hasPrefix("0") }) else {
                return nil
            }
            prerelease = parts
            rest = rest[..<dash]
        }
        guard let first = rest.firstIndex(of: UInt8(ascii: ".")), let last = rest.lastIndex(of: UInt8(ascii: ".")),
            first < last, let major = Self.number(rest[..<first]), let minor = Self.number(rest[(first + 1)..<last]),
            let patch = Self.number(rest[(last + 1)...])
        else { return nil }
        (self.major, self.minor, self.patch) = (major, minor, patch)
        self.prerelease = prerelease
        self.build = build
    }

    /// A number without a zero before it, of at most 18 digits.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        guard (1...18).contains(digits.count), digits.count == 1 || digits.first != UInt8(ascii: "0") else {
            return nil
        }
        var value = 0
        for digit in digits {
            guard (48...57).contains(digit) else { return nil }
            value = value * 10 + Int(digit - 48)
        }
        return value
    }

    /// The words between the dots; nil when one is empty or has other characters than letters, digits and dashes.
    private static func identifiers(_ bytes: ArraySlice<UInt8>) -> [String]? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let areValid = parts.allSatisfy {
            !$0.isEmpty
                && $0.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45
                }
        }
        return areValid ? parts.map { String(decoding: $0, as: UTF8.self) } : nil
    }

    private static func isNumeric(_ text: String) -> Bool { text.utf8.allSatisfy { (48...57).contains($0) } }

    public var description: String {
        "v\(major).\(minor).\(patch)" + (prerelease.isEmpty ? "" : "-" + prerelease.joined(separator: "."))
            + (build.map { "+" + $0 } ?? "")
    }

    /// The next version when that part goes up; a pre-release becomes the release that it leads to, if that is one.
    public func bumped(_ part: Part) -> SemanticVersion {
        let isRelease = prerelease.isEmpty
        switch part {
        case .major: return SemanticVersion(!isRelease && minor == 0 && patch == 0 ? major : major + 1, 0, 0)
        case .minor: return SemanticVersion(major, !isRelease && patch == 0 ? minor : minor + 1, 0)
        case .patch: return SemanticVersion(major, minor, isRelease ? patch + 1 : patch)
        }
    }

    public static func < (a: SemanticVersion, b: SemanticVersion) -> Bool {
        if (a.major, a.minor, a.patch) != (b.major, b.minor, b.patch) {
            return (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
        }
        if a.prerelease.isEmpty || b.prerelease.isEmpty { return !a.prerelease.isEmpty && b.prerelease.isEmpty }
        for (x, y) in zip(a.prerelease, b.prerelease) where x != y {
            switch (isNumeric(x), isNumeric(y)) {
            // Of numbers, which have no zeros before them, the longer one is larger, however long.
            case (true, true) where x.utf8.count != y.utf8.count: return x.utf8.count < y.utf8.count
            case (true, false): return true
            case (false, true): return false
            default: return x.utf8.lexicographicallyPrecedes(y.utf8)
            }
        }
        return a.prerelease.count < b.prerelease.count
    }
}

extension SemanticVersion {
    /// The number by which MLflow's clients know a version; nil for one that has none.
    ///
    /// vN.0.0 is N; any other vA.B.C is 10¹² + A·10⁸ + B·10⁴ + C, B and C below 10⁴. Pre-releases and builds have none.
    public var mlflowNumber: Int64? {
        guard prerelease.isEmpty, build == nil else { return nil }
        if (1..<Self.firstComposed).contains(Int64(major)), minor == 0, patch == 0 { return Int64(major) }
        guard major < 90_000_000_000, minor < 10_000, patch < 10_000 else { return nil }
        return Self.firstComposed + Int64(major) * 100_000_000 + Int64(minor) * 10_000 + Int64(patch)
    }

    /// The version that a number of MLflow's means; nil where no version bears it.
    public init?(mlflowNumber number: Int64) {
        if (1..<Self.firstComposed).contains(number) {
            self.init(Int(number), 0, 0)
        } else {
            let rest = number.subtractingReportingOverflow(Self.firstComposed)
            guard !rest.overflow, rest.partialValue >= 0 else { return nil }
            let value = Int(rest.partialValue)
            self.init(value / 100_000_000, value / 10_000 % 10_000, value % 10_000)
            guard mlflowNumber == number else { return nil }
        }
    }

    private static let firstComposed: Int64 = 1_000_000_000_000
}
