internal import Base
internal import Storage
internal import Transport

/// Requests to one repository of a registry, with the login that it asks for.
///
/// The login is shown to the registry's own origin only: an upload or a download elsewhere must do without.
struct RegistrySession: Sendable {
    let name: RepositoryName
    let options: RegistryOptions
    private let login: RegistryLogin

    /// `mounts` are other repositories that blobs are to be taken from.
    init(_ name: RepositoryName, actions: String, mounts: [RepositoryName] = [], _ options: RegistryOptions) {
        self.name = name
        self.options = options
        let others = Set(mounts).filter { $0.host == name.host && $0 != name }.map { "repository:\($0.path):pull" }
        login = RegistryLogin(name, scopes: ["repository:\(name.path):\(actions)"] + others.sorted(), options)
    }

    /// What a request is besides its method and place.
    struct Details: Sendable {
        var headers: [String: String] = [:]
        var body = HTTPClient.Body.none
        var sink = HTTPRequest.Sink.memory(limit: 8 << 20)
        var follows = false
        /// Whether it may take long, so that its token must not run out soon.
        var isLong = false
        /// Whether a refused token is renewed and the same sent again; an upload has to begin anew instead.
        var renews = true
        var progress: ByteProgress?
    }

    /// Sends a request to a path below the repository, or to a whole URL.
    func send(_ method: String, _ place: String, _ details: Details = Details()) async throws -> HTTPResponse {
        var wasRefused = false
        while true {
            let pass = try await login.pass(isFresh: details.isLong)
            let (answer, shown) = try await send(method, place, details, pass)
            guard answer.status == 401, shown, try await login.wasRefused(pass.authorization), details.renews,
                !wasRefused
            else { return answer }
            wasRefused = true
        }
    }

    private func send(
        _ method: String, _ place: String, _ details: Details, _ pass: RegistryLogin.Pass
    ) async throws -> (answer: HTTPResponse, wasShown: Bool) {
        let url = url(place, pass.base)
        guard let address = NetworkAddress(url) else {
            throw RemoteFailure(
                .unexpectedAnswer, address: pass.base.shown, detail: "it names “\(place)” as an address")
        }
        guard address.scheme == "https" || pass.base.scheme == "http" else {
            throw RemoteFailure(
                .refused, address: address.shown, detail: "an upload from https to http is not followed")
        }
        var request = HTTPRequest(method, url, headers: details.headers, body: details.body)
        let isOurs = address.hasSameOrigin(as: pass.base)
        if isOurs { request.headers["Authorization"] = pass.authorization } else { request.namedBy = pass.peer }
        request.sink = details.sink
        request.redirects = details.follows ? .followed : .refused
        request.tls = pass.tls
        request.timeout = details.isLong ? nil : .seconds(60)
        // A registry may look at every byte of a large blob again before it answers.
        request.patience = details.isLong ? .seconds(300) : .seconds(60)
        request.progress = details.progress
        return (try await RemoteFailure.send(request, address: "\(method) \(address.shown)"), isOurs)
    }

    private func url(_ place: String, _ base: NetworkAddress) -> String {
        place.contains("://") ? place : "\(base.text)/v2/\(name.path)/\(place)"
    }

    /// An address out of the answer to a request, as a whole URL; nil when it is none.
    func resolve(_ location: String, against place: String) async throws -> String? {
        let base = try await login.pass().base
        return NetworkAddress(url(place, base))?.resolving(location)?.url
    }

    /// Stores a manifest under a tag or its digest.
    func put(_ manifest: [UInt8], _ type: String, _ reference: String) async throws -> HTTPResponse {
        let path = "manifests/\(reference)"
        let details = Details(headers: ["Content-Type": type], body: .bytes(manifest))
        return try await options.retry.run { _ in
            let answer = try await send("PUT", path, details)
            if [200, 201, 202].contains(answer.status) { return answer }
            let refusal = failure("PUT", path, answer)
            guard refusal.detail.contains("DIGEST_INVALID") else { throw refusal }
            // docker-registry 2.8 says so when two write the same manifest at once; the bytes are in memory and right.
            throw refusal.retryable(as: .conflict)
        }
    }

    /// The failure that an answer stands for.
    func failure(_ method: String, _ place: String, _ answer: HTTPResponse) -> RemoteFailure {
        let shown =
            place.contains("://") ? NetworkAddress.withoutSecrets(place) : "\(name)/\(place.prefix { $0 != "?" })"
        return RegistryAnswer.failure(answer, address: "\(method) \(shown)")
    }
}

/// What registries say when they refuse.
enum RegistryAnswer {
    static let loginHints = [
        "log in with `docker login`, `podman login` or `skopeo login`, and check the right to push"
    ]

    static func failure(_ answer: HTTPResponse, address: String) -> RemoteFailure {
        let words = words(answer)
        let hints: [String] =
            switch answer.status {
            case 401, 403: loginHints
            case 404 where words?.contains("NAME_UNKNOWN") == true || answer.status == 404 && address.hasPrefix("POST"):
                ["some registries want the repository to be created first (ECR: `aws ecr create-repository`)"]
            case 413: ["set GIT_ML_REGISTRY_CHUNK=50MB, so that blobs go up in parts"]
            case 429: ["the registry counts requests: log in, or wait"]
            default: []
            }
        let failure = RemoteFailure(answer, address: address, words: words, hints: hints)
        // nginx's word for a client that went away, which some proxies send to the client.
        guard answer.status == 499 else { return failure }
        return failure.retryable(as: .outOfOrder)
    }

    /// The first of its `errors` in the registry's own words, any other text as it is.
    ///
    /// `detail` may be any JSON and is left out.
    static func words(_ answer: HTTPResponse) -> String? {
        let text = String(decoding: answer.body.prefix(2000), as: UTF8.self)
        if answer.headers["content-type"]?.hasPrefix("text/html") == true { return "a web page" }
        let json = try? JSON.parse(answer.text)
        let first = json?["errors"]?.array?.first
        let words = [first?["code"]?.string, first?["message"]?.string].compactMap { $0 }.joined(separator: ": ")
        if !words.isEmpty { return words }
        return json?["message"]?.string ?? json?["details"]?.string ?? (text.isEmpty ? nil : text)
    }
}

extension RemoteFailure {
    /// The same, as something that another try may mend.
    func retryable(as reason: Reason) -> RemoteFailure {
        RemoteFailure(reason, address: address, detail: detail, status: status, retryable: true, hints: hints)
    }
}
