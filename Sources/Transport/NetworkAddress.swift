internal import Base

/// The parts of an address that has a host: of a web server, an ssh account, a git remote.
///
/// It is read without libcurl, because settings are looked at before anything is sent.
public struct NetworkAddress: Hashable, Sendable {
    /// In lower case.
    public let scheme: String
    /// Decoded; nil when the address names none.
    public let user: String?
    public let password: String?
    /// In lower case; that of IPv6 without its brackets.
    public let host: String
    /// As written; nil: the scheme's own.
    public let port: Int?
    /// What follows, from its slash on and with the query, percent-encoded as written; may be empty.
    public let rest: String
    /// What stands before the host, with its `@`.
    private let login: String

    /// Nil for what has no scheme or no host, and for anything with a space or a control character.
    public init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }), let mark = text.firstRange(of: "://"),
            let scheme = Self.scheme(text[..<mark.lowerBound])
        else { return nil }
        let tail = text[mark.upperBound...]
        let end = tail.firstIndex { "/?#".contains($0) } ?? tail.endIndex
        var authority = tail[..<end]
        // Some take it for a slash.
        if authority.contains("\\") { return nil }
        login = authority.lastIndex(of: "@").map { String(authority[...$0]) } ?? ""
        authority = authority.dropFirst(login.count)
        guard let (host, port) = Self.hostAndPort(authority) else { return nil }
        let parts = login.dropLast().split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts.first.map { Self.decode(String($0)) }
        password = parts.count > 1 ? Self.decode(String(parts[1])) : nil
        user = name == "" && password == nil ? nil : name
        self.scheme = scheme
        self.host = host
        self.port = port
        rest = String(tail[end...].prefix { $0 != "#" })
    }

    private static func scheme(_ text: Substring) -> String? {
        let scheme = text.lowercased()
        guard let first = scheme.utf8.first, (97...122).contains(first),
            scheme.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || "+-.".utf8.contains($0) })
        else { return nil }
        return scheme
    }

    private static func hostAndPort(_ text: Substring) -> (String, Int?)? {
        let host: Substring
        var after: Substring
        if text.hasPrefix("["), let close = text.firstIndex(of: "]") {
            host = text[..<close].dropFirst()
            after = text[close...].dropFirst()
        } else {
            host = text.prefix { $0 != ":" }
            after = text[host.endIndex...]
            // libcurl would decode `%`, and so reach another host than the one that was looked at.
            guard !host.contains(where: { "%\\[]{}<>\"^`|".contains($0) }) else { return nil }
        }
        guard !host.isEmpty else { return nil }
        if after.isEmpty || after == ":" { return (host.lowercased(), nil) }
        guard after.removeFirst() == ":", after.first?.isNumber == true, let port = UInt16(after) else { return nil }
        return (host.lowercased(), Int(port))
    }

    // MARK: Parts

    /// The port that is meant when none is written.
    public var effectivePort: Int? { port ?? ["http": 80, "https": 443, "ssh": 22][scheme] }
    /// Percent-encoded; may be empty.
    public var path: String { String(rest.prefix { $0 != "?" }) }
    public var hostAndPort: String { bracketed + (port.map { ":\($0)" } ?? "") }
    private var bracketed: String { host.contains(":") ? "[\(host)]" : host }
    /// The host, with its port where that is not the scheme's own: the `Host` header.
    public var authority: String { effectivePort == ["http": 80, "https": 443][scheme] ? bracketed : hostAndPort }
    /// Without user and password.
    public var text: String { "\(scheme)://\(hostAndPort)\(rest)" }
    /// With all there is, as a request is sent to it.
    public var url: String { "\(scheme)://\(login)\(hostAndPort)\(rest.hasPrefix("/") ? "" : "/")\(rest)" }
    /// Without secrets and query: what messages show.
    public var shown: String { "\(scheme)://\(hostAndPort)\(path)" }

    /// Whether credentials for one are meant for the other too: scheme, host and port are the same.
    public func hasSameOrigin(as other: NetworkAddress) -> Bool {
        scheme == other.scheme && host == other.host && effectivePort == other.effectivePort
    }

    /// What a reference found at this address means; user and password stay where the origin does.
    public func resolving(_ reference: String) -> NetworkAddress? {
        if let whole = NetworkAddress(reference) { return whole }
        if reference.contains("://") { return nil }
        if reference.hasPrefix("//") { return NetworkAddress("\(scheme):\(reference)") }
        let base = "\(scheme)://\(login)\(hostAndPort)"
        if reference.hasPrefix("/") { return NetworkAddress(base + reference) }
        if reference.hasPrefix("?") { return NetworkAddress(base + path + reference) }
        // `file:x` and `data:x` are no paths.
        if let colon = reference.firstIndex(of: ":"), !reference[..<colon].contains("/") { return nil }
        var folders = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().dropLast()
        var below = reference[...]
        while below.hasPrefix("./") || below.hasPrefix("../") {
            if below.hasPrefix("..") { _ = folders.popLast() }
            below = below[below.index(after: below.firstIndex(of: "/") ?? below.startIndex)...]
        }
        return NetworkAddress(base + folders.map { "/" + $0 }.joined() + "/" + below)
    }

    // MARK: Text

    /// An address, whatever it looks like, without what stands before an `@` in its host, and without its query and fragment.
    public static func withoutSecrets(_ url: String) -> String {
        var text = url.prefix { $0 != "?" && $0 != "#" }
        if let scheme = text.firstRange(of: "://"),
            let at = text[scheme.upperBound...].prefix(while: { $0 != "/" }).lastIndex(of: "@")
        {
            text = text[..<scheme.upperBound] + text[text.index(after: at)...]
        }
        return String(text)
    }

    /// Everything but letters, digits and `-_.~` as `%XX`, the form that signatures are made over.
    ///
    /// What stands in `keep` stays as it is.
    public static func encode(_ text: String, keep: String = "") -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: out.append(byte)
            case _ where keep.utf8.contains(byte): out.append(byte)
            default: out += "%\(Hex.encode([byte]).uppercased())".utf8
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The opposite; a `%` that no two hex digits follow stays.
    public static func decode(_ text: String) -> String {
        let units = Array(text.utf8)
        var out: [UInt8] = []
        var i = 0
        while i < units.count {
            if units[i] == 37, i + 2 < units.count,
                let byte = Hex.decode(String(decoding: units[i + 1...i + 2], as: UTF8.self).lowercased())
            {
                out += byte
                i += 3
            } else {
                out.append(units[i])
                i += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
