internal import Transport

/// The settings that git-lfs reads: git's own, and below them what the repository's `.lfsconfig` may say.
///
/// Section and last part of a key are in lower case, as `git config --list` prints them.
public struct LFSSettings: Sendable {
    private let own: [String: [String]]
    private let shared: [String: [String]]

    /// Reads what `git config --list -z` prints of git's settings and of `.lfsconfig`.
    ///
    /// A repository is not to be trusted: of `.lfsconfig` only the keys count that git-lfs calls safe.
    public init(git: String = "", lfsconfig: String = "") {
        own = Self.parse(git)
        shared = Self.parse(lfsconfig).filter { Self.isSafe($0.key) }
    }

    /// The value that counts; git's own win over the repository's.
    public subscript(_ key: String) -> String? { (own[key] ?? shared[key])?.last }

    /// All values in git's own settings.
    public func all(_ key: String) -> [String] { own[key] ?? [] }

    /// Whether the value comes out of the repository.
    public func isFromRepository(_ key: String) -> Bool { own[key] == nil && shared[key] != nil }

    /// A setting that is on or off; one without a value is on.
    public func bool(_ key: String) -> Bool? { self[key].flatMap(Self.bool) }

    public func int(_ key: String) -> Int? { self[key].flatMap { Int($0) } }

    /// The same without `lfs.url` and `lfs.pushurl`, for a repository that is not this one's own remote.
    public var withoutOwnServer: LFSSettings {
        let names: Set = ["lfs.url", "lfs.pushurl"]
        return LFSSettings(
            own: own.filter { !names.contains($0.key) }, shared: shared.filter { !names.contains($0.key) })
    }

    private init(own: [String: [String]], shared: [String: [String]]) {
        self.own = own
        self.shared = shared
    }

    /// Every key of the form `<prefix><name><suffix>`, by name.
    func names(_ prefix: String, _ suffix: String) -> [(name: String, values: [String])] {
        own.compactMap { key, values in
            guard key.hasPrefix(prefix), key.hasSuffix(suffix), key.utf8.count > prefix.utf8.count + suffix.utf8.count
            else { return nil }
            return (String(key.dropFirst(prefix.count).dropLast(suffix.count)), values)
        }
    }

    static func bool(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "yes", "on", "1": true
        case "false", "no", "off", "0", "": false
        default: nil
        }
    }

    private static func parse(_ text: String) -> [String: [String]] {
        var result: [String: [String]] = [:]
        for entry in text.split(separator: "\0") {
            let parts = entry.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
            result[String(parts[0]), default: []].append(parts.count > 1 ? String(parts[1]) : "true")
        }
        return result
    }

    /// git-lfs's list (`config/git_fetcher.go`).
    private static func isSafe(_ key: String) -> Bool {
        let safe = [
            "lfs.allowincompletepush", "lfs.fetchexclude", "lfs.fetchinclude", "lfs.gitprotocol", "lfs.locksverify",
            "lfs.pushurl", "lfs.skipdownloaderrors", "lfs.url",
        ]
        return safe.contains(key) || (key.hasPrefix("remote.") && key.hasSuffix(".lfsurl"))
            || (key.hasPrefix("lfs.") && key.hasSuffix(".access") && key != "lfs.access")
    }
}

// MARK: - What git-lfs derives from them

extension LFSSettings {
    /// Patterns of paths that are fetched, and of those that are not (`lfs.fetchinclude`, `lfs.fetchexclude`); empty: all, none.
    ///
    /// `fetchexclude = *` in `.lfsconfig` is how ``LFSConfig`` keeps the stock client from looking for content that is at another
    /// data remote, so it says nothing to us.
    public var fetchInclude: [String] { patterns("lfs.fetchinclude") }
    public var fetchExclude: [String] {
        let patterns = patterns("lfs.fetchexclude")
        return patterns == ["*"] && isFromRepository("lfs.fetchexclude") ? [] : patterns
    }

    /// Whether locks are looked at before a push to a server: `lfs.<url>.locksverify`, else `lfs.locksverify`; nil: not said.
    public func locksVerify(_ address: String) -> Bool? {
        let values = NetworkAddress(address).map { self.values("lfs", "locksverify", for: $0).values } ?? []
        return (values.last ?? self["lfs.locksverify"]).flatMap(Self.bool)
    }

    private func patterns(_ key: String) -> [String] {
        (self[key] ?? "").split(separator: ",").compactMap { part in
            var pattern = part[...]
            while let first = pattern.first, first.isWhitespace { pattern.removeFirst() }
            while let last = pattern.last, last.isWhitespace { pattern.removeLast() }
            if pattern.hasSuffix("/"), pattern != "/" { pattern.removeLast() }
            return pattern.isEmpty ? nil : String(pattern)
        }
    }

    /// An address after `url.<base>.insteadOf`, for a push first after `url.<base>.pushInsteadOf`; the longest match counts.
    public func rewritten(_ address: String, for direction: TransferDirection) -> String {
        func replaced(_ suffix: String) -> String? {
            let matches = names("url.", suffix).flatMap { base, values in values.map { (base: base, value: $0) } }
                .filter { !$0.value.isEmpty && address.hasPrefix($0.value) }
            guard let best = matches.max(by: { $0.value.utf8.count < $1.value.utf8.count }) else { return nil }
            return best.base + address.dropFirst(best.value.count)
        }
        return (direction == .upload ? replaced(".pushinsteadof") : nil) ?? replaced(".insteadof") ?? address
    }

    /// The address of a git remote: its name's setting, or the text itself when it is no name.
    public func gitAddress(of remote: String, for direction: TransferDirection) -> String? {
        if direction == .upload, let url = self["remote.\(remote).pushurl"] { return url }
        if let url = self["remote.\(remote).url"] { return url }
        return remote.contains("/") || remote.contains(":") ? remote : nil
    }

    /// The values of `<section>.<url>.<key>` for the address, by git's rules for `http.<url>.*`; without one those of `<section>.<key>`.
    func values(_ section: String, _ key: String, for address: NetworkAddress) -> (values: [String], isForAddress: Bool)
    {
        var best: (score: (Int, Int, Int), values: [String])?
        let entries =
            names("\(section).", ".\(key)")
            + (section == "lfs" && key == "access" ? sharedAccess : [])
        for (url, values) in entries {
            guard let pattern = NetworkAddress(url), let score = Self.score(pattern, address) else { continue }
            if best == nil || score > best?.score ?? (0, 0, 0) { best = (score, values) }
        }
        if let best { return (best.values, true) }
        return (all("\(section).\(key)"), false)
    }

    /// `.lfsconfig` may say which way of asking for credentials a server wants; that gives nothing away.
    private var sharedAccess: [(name: String, values: [String])] {
        shared.compactMap { key, values in
            key.hasSuffix(".access") ? (String(key.dropFirst("lfs.".count).dropLast(".access".count)), values) : nil
        }
    }

    /// How well a pattern fits, nil when it does not: host before path before user.
    private static func score(_ pattern: NetworkAddress, _ address: NetworkAddress) -> (Int, Int, Int)? {
        guard pattern.scheme == address.scheme, pattern.effectivePort == address.effectivePort else { return nil }
        let wanted = pattern.host.split(separator: ".", omittingEmptySubsequences: false)
        let host = address.host.split(separator: ".", omittingEmptySubsequences: false)
        guard wanted.count == host.count, zip(wanted, host).allSatisfy({ $0 == "*" || $0 == $1 }) else { return nil }
        let path = pattern.path.split(separator: "/")
        let full = address.path.split(separator: "/")
        guard path.count <= full.count,
            zip(path, full).allSatisfy({ $0 == $1 || ($1.hasSuffix(".git") && $1.dropLast(4) == $0) })
        else { return nil }
        if let user = pattern.user, user != address.user { return nil }
        return (wanted.count { $0 != "*" }, path.count, pattern.user == nil ? 0 : 1)
    }
}
