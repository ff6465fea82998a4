public import Base
public import SystemPackage

/// Who may ask for what.
///
/// Bound to loopback nobody has to say who he is, but the request must come to a name of this machine, and no page of
/// another site may send it: a browser would let any page ask otherwise (DNS rebinding, cross-site requests).
public struct Access: Sendable {
    /// What somebody may do; each may do what those before may.
    public enum Role: String, Sendable, Comparable, CaseIterable {
        case read, log, stage

        public static func < (a: Role, b: Role) -> Bool {
            (allCases.firstIndex(of: a) ?? 0) < (allCases.firstIndex(of: b) ?? 0)
        }
    }

    private struct User: Sendable {
        /// Nil for a token, which anybody has who knows it.
        let name: String?
        let secret: Digest
        let role: Role
    }

    private var users: [User] = []
    private var hosts: Set<String>

    /// Anybody who reaches this machine's loopback; `hosts` are further names that requests may be sent to.
    public init(hosts: [String] = []) {
        self.hosts = Set(["localhost", "127.0.0.1", "::1"] + hosts.map { $0.lowercased() })
    }

    /// Those who know one token.
    public init(token: String) {
        self.init()
        users = [User(name: nil, secret: .of(token), role: .stage)]
    }

    /// Those whom a file names: lines of a name, a password and a role, with spaces between them; a name `-` makes the
    /// password a token.
    ///
    /// The file must be readable by its owner alone.
    public init(file: FilePath, hosts: [String] = []) throws {
        self.init(hosts: hosts)
        guard let status = Files.status(file), let text = try Files.readText(file) else {
            throw AccessFailure(file: file, line: nil, reason: "there is no such file")
        }
        guard status.mode & 0o077 == 0 else {
            throw AccessFailure(file: file, line: nil, reason: "others than its owner may read it: chmod 600")
        }
        for (i, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            if words.isEmpty || words[0].hasPrefix("#") { continue }
            guard words.count == 3, let role = Role(rawValue: words[2]) else {
                throw AccessFailure(
                    file: file, line: i + 1, reason: "a line is a name, a password and read, log or stage")
            }
            users.append(User(name: words[0] == "-" ? nil : words[0], secret: .of(words[1]), role: role))
        }
        guard !users.isEmpty else { throw AccessFailure(file: file, line: nil, reason: "it names nobody") }
    }

    /// Whether everybody has to say who he is.
    public var isClosed: Bool { !users.isEmpty }

    // MARK: Deciding

    /// Refuses a request that may not be answered.
    func check(host: String?, origin: String?, authorization: String?, needs role: Role) throws {
        let name = host.map(Self.name)
        if !isClosed || hosts.count > 3 {
            guard let name, hosts.contains(name) else {
                throw MLflowFailure(
                    .denied, "the host “\(host ?? "")” is none that this server answers to; --allow-host adds one")
            }
        }
        if let origin, Self.name(Self.authority(origin)) != name {
            throw MLflowFailure(.denied, "a page of \(origin) may not ask this server")
        }
        if !isClosed { return }
        guard let own = self.role(authorization) else {
            throw MLflowFailure(
                .unauthenticated, "You are not authenticated: a token or a name and a password are needed.")
        }
        guard own >= role else {
            throw MLflowFailure(.denied, "Permission denied: this needs the role \(role.rawValue)")
        }
    }

    private func role(_ authorization: String?) -> Role? {
        guard let authorization, let space = authorization.firstIndex(of: " ") else { return nil }
        let secret = String(authorization[authorization.index(after: space)...])
        switch authorization[..<space].lowercased() {
        case "bearer":
            // Digests are compared: how long that takes tells nothing of the token.
            let digest = Digest.of(secret)
            return users.filter { $0.name == nil && $0.secret == digest }.map(\.role).max()
        case "basic":
            guard let bytes = Base64.decode(secret), let text = String(validating: bytes, as: UTF8.self),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            let digest = Digest.of(String(text[text.index(after: colon)...]))
            return users.filter { $0.name == String(text[..<colon]) && $0.secret == digest }.map(\.role).max()
        default: return nil
        }
    }

    /// The name in `name:port` or `[name]:port`.
    private static func name(_ host: String) -> String {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end]).lowercased()
        }
        return String(host.prefix { $0 != ":" }).lowercased()
    }

    private static func authority(_ origin: String) -> String {
        guard let mark = origin.firstRange(of: "://") else { return origin }
        return String(origin[mark.upperBound...].prefix { $0 != "/" })
    }

    /// What a call needs.
    static func role(for method: String, _ path: String) -> Role {
        if method == "GET" || method == "HEAD" || path.hasSuffix("/search") || path.hasSuffix("search-datasets")
            || path.hasSuffix("get-latest-versions") || path == "graphql"
        {
            return .read
        }
        let isStaging = path.hasPrefix("registered-models/") || path.hasPrefix("model-versions/")
        return isStaging ? .stage : .log
    }
}

/// A file of users that cannot be used.
public struct AccessFailure: Failure {
    public let file: FilePath
    public let line: Int?
    public let reason: String

    public var kind: FailureKind { .user }
    public var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(reason)" }
    public var hints: [String] { ["one user a line, such as `ann s3cret log`; `-` for the name makes it a token"] }
}
