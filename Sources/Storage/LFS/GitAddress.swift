/// The parts of an address that has a host, read without libcurl: settings are looked at before anything is sent.
struct GitAddress: Hashable, Sendable {
    /// In lower case.
    let scheme: String
    let user: String?
    let password: String?
    /// In lower case; that of IPv6 without its brackets.
    let host: String
    let port: Int?
    /// What follows, from its slash on and with the query; may be empty.
    let rest: String

    /// Nil for what has no scheme or no host, and for anything with a space or a control character.
    init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }), let mark = text.firstRange(of: "://") else {
            return nil
        }
        let scheme = text[..<mark.lowerBound].lowercased()
        guard let first = scheme.utf8.first, (97...122).contains(first),
            scheme.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || "+-.".utf8.contains($0) })
        else { return nil }
        let tail = text[mark.upperBound...]
        let end = tail.firstIndex { "/?#".contains($0) } ?? tail.endIndex
        var authority = tail[..<end]
        var secrets: (user: String, password: String?)?
        if let at = authority.lastIndex(of: "@") {
            let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            secrets = (Self.decoded(parts[0]), parts.count > 1 ? Self.decoded(parts[1]) : nil)
            authority = authority[authority.index(after: at)...]
        }
        var port: Int?
        let name: Substring
        if authority.hasPrefix("["), let close = authority.firstIndex(of: "]") {
            name = authority[authority.index(after: authority.startIndex)..<close]
            let after = authority[authority.index(after: close)...]
            if !after.isEmpty {
                guard after.hasPrefix(":"), let number = UInt16(after.dropFirst()) else { return nil }
                port = Int(number)
            }
        } else {
            let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            name = parts[0]
            if parts.count > 1, !parts[1].isEmpty {
                guard let number = UInt16(parts[1]) else { return nil }
                port = Int(number)
            }
        }
        guard !name.isEmpty else { return nil }
        self.scheme = scheme
        user = secrets.flatMap { $0.user.isEmpty && $0.password == nil ? nil : $0.user }
        password = secrets?.password
        host = name.lowercased()
        self.port = port
        rest = String(tail[end...].prefix { $0 != "#" })
    }

    /// The port that is meant when none is written.
    var effectivePort: Int? { port ?? ["http": 80, "https": 443, "ssh": 22][scheme] }
    var path: String { String(rest.prefix { $0 != "?" }) }
    var hostAndPort: String { (host.contains(":") ? "[\(host)]" : host) + (port.map { ":\($0)" } ?? "") }
    /// Without user and password.
    var text: String { "\(scheme)://\(hostAndPort)\(rest)" }
    /// Without query either: what messages show.
    var shown: String { "\(scheme)://\(hostAndPort)\(path)" }

    func hasSameOrigin(as other: GitAddress) -> Bool {
        scheme == other.scheme && host == other.host && effectivePort == other.effectivePort
    }

    /// What a reference found at this address means (RFC 3986, without `..` segments).
    func resolving(_ reference: String) -> GitAddress? {
        if let whole = GitAddress(reference) { return whole }
        if reference.contains("://") { return nil }
        if reference.hasPrefix("//") { return GitAddress("\(scheme):\(reference)") }
        let base = "\(scheme)://\(hostAndPort)"
        if reference.hasPrefix("/") { return GitAddress(base + reference) }
        if reference.hasPrefix("?") { return GitAddress(base + path + reference) }
        // `file:x` and `data:x` are no paths.
        if let colon = reference.firstIndex(of: ":"), !reference[..<colon].contains("/") { return nil }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return GitAddress(base + folder + reference)
    }

    /// An address for a message, whatever it looks like.
    static func shown(_ text: String) -> String { GitAddress(text)?.shown ?? text }

    /// For a value in a query.
    static func escaped(_ text: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
        return text.utf8.map { unit in
            if plain.contains(unit) { return String(UnicodeScalar(unit)) }
            let hex = String(unit, radix: 16, uppercase: true)
            return "%" + (hex.count == 1 ? "0" : "") + hex
        }.joined()
    }

    static func decoded(_ text: Substring) -> String {
        let units = Array(text.utf8)
        var result: [UInt8] = []
        var i = 0
        while i < units.count {
            if units[i] == UInt8(ascii: "%"), i + 2 < units.count,
                let value = UInt8(String(decoding: units[i + 1...i + 2], as: UTF8.self), radix: 16)
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
