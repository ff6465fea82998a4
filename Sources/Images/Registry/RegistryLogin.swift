internal import Base
internal import Storage
internal import Transport

/// Who we are at a registry: found out before anything is sent, and renewed before it runs out.
actor RegistryLogin {
    /// What a request is sent with.
    struct Pass: Sendable {
        let base: NetworkAddress
        /// The network address of the registry.
        let peer: String?
        let tls: TLSOptions
        let authorization: String?
    }

    private struct Token {
        let value: String
        let lifetime: Duration
        let end: ContinuousClock.Instant
    }

    private struct Registry {
        let base: NetworkAddress
        let peer: String?
        let tls: TLSOptions
        let challenges: [RegistryChallenge]
    }

    private let name: RepositoryName
    private let options: RegistryOptions
    /// What the tokens must allow, what is needed most first: some servers look at one only.
    private let scopes: [String]
    private var found: Task<Registry, any Error>?
    private var renewal: Task<Token, any Error>?
    private var token: Token?
    private var credential: Task<RegistryCredential?, any Error>?

    init(_ name: RepositoryName, scopes: [String], _ options: RegistryOptions) {
        self.name = name
        self.scopes = scopes
        self.options = options
    }

    /// The way in; with `isFresh` the token has most of its life before it, for an upload that may take long.
    func pass(isFresh: Bool = false) async throws -> Pass {
        let registry = try await registry()
        func pass(_ authorization: String?) -> Pass {
            Pass(base: registry.base, peer: registry.peer, tls: registry.tls, authorization: authorization)
        }
        if let challenge = registry.challenges.first(where: { $0.scheme == "bearer" }) {
            if let token, token.end - .now > token.lifetime * (isFresh ? 0.7 : 0.1) {
                return pass("Bearer \(token.value)")
            }
            return pass("Bearer \(try await renew(challenge, registry).value)")
        }
        guard registry.challenges.contains(where: { $0.scheme == "basic" }) else { return pass(nil) }
        return pass(try await known()?.basic)
    }

    /// Whether another try may go better after a 401: once the token that was refused has been given up.
    func wasRefused(_ authorization: String?) async throws -> Bool {
        guard let authorization, authorization.hasPrefix("Bearer ") else { return false }
        if let token, authorization == "Bearer \(token.value)" { self.token = nil }
        return true
    }

    // MARK: Asking the registry

    private func registry() async throws -> Registry {
        if let found { return try await found.value }
        let task = Task { try await ping() }
        found = task
        do { return try await task.value } catch {
            found = nil
            throw error
        }
    }

    private func ping() async throws -> Registry {
        var last: (any Error)?
        for address in options.addresses(name.host) {
            var request = HTTPRequest("GET", "\(address)/v2/", headers: ["Accept": "application/json"])
            request.tls.verifies = !options.insecure.contains(name.host)
            guard let base = NetworkAddress(address) else { throw ImageFailure.badReference(name.host) }
            do {
                let answer = try await options.retry.run { _ in
                    let answer = try await RemoteFailure.send(request, address: request.url)
                    if answer.status == 429 || answer.status >= 500 {
                        throw RemoteFailure(answer, address: request.url)
                    }
                    return answer
                }
                if answer.status == 400, answer.text.contains("HTTPS"), base.scheme == "http" { continue }
                if answer.headers["content-type"]?.hasPrefix("text/html") == true, answer.status != 401 {
                    throw RemoteFailure(
                        .unexpectedAnswer, address: request.url,
                        detail: "the answer is a web page: this is no registry, or a proxy stands before it")
                }
                let challenges =
                    answer.status == 401 ? RegistryChallenge.parse(answer.headers["www-authenticate"] ?? "") : []
                return Registry(base: base, peer: answer.peer, tls: request.tls, challenges: challenges)
            } catch let failure as RemoteFailure {
                last = last ?? failure
            }
        }
        throw last ?? RemoteFailure(.unreachable, address: name.host, detail: "the registry does not answer")
    }

    private func known() async throws -> RegistryCredential? {
        if let credential { return try await credential.value }
        let (name, options) = (name, options)
        let task = Task { try await options.credentials(name.host, name.path) }
        credential = task
        return try await task.value
    }

    // MARK: Tokens

    private func renew(_ challenge: RegistryChallenge, _ registry: Registry) async throws -> Token {
        if let renewal { return try await renewal.value }
        let task = Task { try await fetchToken(challenge, registry) }
        renewal = task
        defer { renewal = nil }
        let new = try await task.value
        token = new
        return new
    }

    private func fetchToken(_ challenge: RegistryChallenge, _ registry: Registry) async throws -> Token {
        guard let text = challenge.fields["realm"], let realm = NetworkAddress(text) else {
            throw RemoteFailure(
                .unexpectedAnswer, address: registry.base.shown,
                detail: "the registry names no place to get a token from")
        }
        // A password goes there: not over plain HTTP, unless the registry itself is asked so.
        guard realm.scheme == "https" || (realm.scheme == "http" && registry.base.scheme == "http") else {
            throw RemoteFailure(
                .refused, address: registry.base.shown, detail: "it wants the login sent unencrypted to \(realm.shown)")
        }
        let credential = try await known()
        if case .identityToken(let token)? = credential,
            let answer = try await exchange(token, realm, challenge, registry)
        {
            return try read(answer, realm)
        }
        var query = [challenge.fields["service"].map { ("service", $0) }].compactMap { $0 }
        query += scopes.map { ("scope", $0) }
        var url = realm.text
        for (key, value) in query {
            url += (url.contains("?") ? "&" : "?") + "\(key)=\(NetworkAddress.encode(value))"
        }
        var headers = ["Accept": "application/json"]
        headers["Authorization"] = credential?.basic
        return try read(try await send("GET", url, headers, .none, realm, registry), realm)
    }

    /// Gives an identity token for an access token; nil where the server does not know that way.
    private func exchange(
        _ token: String, _ realm: NetworkAddress, _ challenge: RegistryChallenge, _ registry: Registry
    ) async throws -> HTTPResponse? {
        let form = [
            "grant_type": "refresh_token", "client_id": "git-ml", "service": challenge.fields["service"] ?? "",
            "scope": scopes.joined(separator: " "), "refresh_token": token,
        ]
        let body = form.sorted { $0.key < $1.key }.map { "\($0.key)=\(NetworkAddress.encode($0.value))" }
            .joined(separator: "&")
        let answer = try await send(
            "POST", realm.text, ["Content-Type": "application/x-www-form-urlencoded"], .bytes(Array(body.utf8)), realm,
            registry)
        return [404, 405].contains(answer.status) ? nil : answer
    }

    private func send(
        _ method: String, _ url: String, _ headers: [String: String], _ body: HTTPClient.Body, _ realm: NetworkAddress,
        _ registry: Registry
    ) async throws -> HTTPResponse {
        var request = HTTPRequest(method, url, headers: headers, body: body)
        request.sink = .memory(limit: 1 << 20)
        request.tls = registry.tls
        if !realm.hasSameOrigin(as: registry.base) { request.namedBy = registry.peer }
        let final = request
        return try await options.retry.run { _ in
            let answer = try await RemoteFailure.send(final, address: realm.shown)
            if answer.status == 429 || answer.status >= 500 { throw RemoteFailure(answer, address: realm.shown) }
            return answer
        }
    }

    private func read(_ answer: HTTPResponse, _ realm: NetworkAddress) throws -> Token {
        let json = try? JSON.parse(answer.text)
        guard answer.status == 200 else {
            throw RemoteFailure(
                answer, address: "GET \(realm.shown)", words: RegistryAnswer.words(answer),
                hints: RegistryAnswer.loginHints)
        }
        // Azure's has `access_token` only.
        guard let value = json?["token"]?.string ?? json?["access_token"]?.string, !value.isEmpty else {
            throw RemoteFailure(.unexpectedAnswer, address: realm.shown, detail: "the answer holds no token")
        }
        let lifetime = Duration.seconds(max(1, json?["expires_in"]?.int ?? 60))
        return Token(value: value, lifetime: lifetime, end: .now + lifetime)
    }
}
