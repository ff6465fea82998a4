public import Base
internal import Synchronization
internal import SystemPackage
internal import Transport

/// Pushes images to a registry (OCI distribution specification 1.1, "Push").
public struct RegistryClient: Sendable {
    private let host: String
    private let repository: String
    private let session: RegistrySession

    /// A client for one repository of a registry, `acme/churn` at `ghcr.io`.
    public init(host: String, repository: String) {
        self.host = host
        self.repository = repository
        session = RegistrySession(host: host, repository: repository)
    }

    /// Pushes an image of a layout under a tag; blobs that the registry has are not sent.
    ///
    /// The manifest goes up by its digest first and by its tag last, so that a reader of the tag never finds a part of
    /// an image. Returns the digests of the blobs that were sent.
    public func push(_ image: Image, from layout: OCILayout, tag: String) async throws -> Set<Digest> {
        let manifest = try layout.read(image.manifest)
        guard let config = try JSON.parse(String(decoding: manifest, as: UTF8.self))["config"] else {
            throw ImageFailure.malformed(place: layout.path(of: image.manifest.digest).string, reason: "no config")
        }
        var sent: Set<Digest> = []
        for blob in image.layers.map(\.descriptor) + [try Descriptor(config, place: layout.root.string)]
        where try await !has(blob) {
            try await upload(blob, from: layout)
            sent.insert(blob.digest)
        }
        for name in [image.manifest.digest.description, tag] {
            let answer = try await session.send(
                "PUT", "manifests/\(name)", headers: ["Content-Type": image.manifest.mediaType],
                body: .bytes(manifest))
            guard answer.status == 201 else { throw session.failure("PUT", "manifests/\(name)", answer) }
        }
        return sent
    }

    private func has(_ blob: Descriptor) async throws -> Bool {
        let answer = try await session.send("HEAD", "blobs/\(blob.digest)")
        switch answer.status {
        case 200: return true
        case 404: return false
        default: throw session.failure("HEAD", "blobs/\(blob.digest)", answer)
        }
    }

    private func upload(_ blob: Descriptor, from layout: OCILayout) async throws {
        let file = layout.path(of: blob.digest)
        guard try Digest.of(file: file) == (blob.digest, blob.size) else {
            throw ImageFailure.malformed(place: file.string, reason: "its bytes do not match its digest")
        }
        // A session that failed is not gone on with: each try begins a new one.
        var last: (any Error)?
        for attempt in 0..<4 {
            if attempt > 0 { try await Task.sleep(for: .milliseconds(500 << attempt)) }
            let start = try await session.send("POST", "blobs/uploads/", body: .bytes([]))
            guard start.status == 202, let location = start.headers["location"] else {
                throw session.failure("POST", "blobs/uploads/", start)
            }
            let url = session.resolve(location)
            do {
                let answer = try await session.send(
                    "PUT", url + (url.contains("?") ? "&" : "?") + "digest=\(blob.digest)",
                    headers: ["Content-Type": "application/octet-stream"], body: .file(file))
                if answer.status == 201 { return }
                let failure = session.failure("PUT", url, answer)
                guard [401, 408, 429, 500, 502, 503, 504].contains(answer.status) else { throw failure }
                last = failure
            } catch let failure as TransportFailure {
                last = failure
            }
        }
        if let last { throw last }
    }
}

/// Requests to one repository of a registry, with the login that the registry asks for.
final class RegistrySession: Sendable {
    private let base: String
    private let host: String
    private let repository: String
    private let authorization = Mutex<String?>(nil)

    init(host: String, repository: String) {
        self.host = host
        self.repository = repository
        let name = host.split(separator: ":").first.map(String.init) ?? host
        let isHere = name == "localhost" || name.hasPrefix("127.") || host.hasPrefix("[::1]")
        base = (isHere ? "http://" : "https://") + (host == "docker.io" ? "registry-1.docker.io" : host)
    }

    /// Sends a request to a path below the repository, or to a whole URL; logs in once when asked to.
    func send(
        _ method: String, _ path: String, headers: [String: String] = [:], body: HTTPClient.Body = .none
    ) async throws -> HTTPResponse {
        let url = path.contains("://") ? path : "\(base)/v2/\(repository)/\(path)"
        var headers = headers
        // A session's address may be at another host, which must not see the login.
        let isOurs = url.hasPrefix(base + "/")
        if isOurs, let login = authorization.withLock({ $0 }) { headers["Authorization"] = login }
        let answer = try await HTTPClient.send(method, url, headers: headers, body: body, timeout: nil)
        guard answer.status == 401, isOurs, let challenge = answer.headers["www-authenticate"],
            let login = try await login(challenge)
        else { return answer }
        authorization.withLock { $0 = login }
        headers["Authorization"] = login
        return try await HTTPClient.send(method, url, headers: headers, body: body, timeout: nil)
    }

    /// An address out of an answer, as a whole URL.
    func resolve(_ location: String) -> String { location.hasPrefix("/") ? base + location : location }

    private func login(_ challenge: String) async throws -> String? {
        let basic = RegistryLogin.basic(host)
        guard challenge.lowercased().hasPrefix("bearer") else { return basic }
        let fields = Self.fields(challenge)
        guard let realm = fields["realm"], realm.hasPrefix("https://") || base.hasPrefix("http://") else { return nil }
        let scope = fields["scope"] ?? "repository:\(repository):pull,push"
        let url = "\(realm)?service=\(Self.escaped(fields["service"] ?? ""))&scope=\(Self.escaped(scope))"
        let answer = try await HTTPClient.send("GET", url, headers: basic.map { ["Authorization": $0] } ?? [:])
        let json = try? JSON.parse(String(decoding: answer.body, as: UTF8.self))
        guard answer.status == 200, let token = json?["token"]?.string ?? json?["access_token"]?.string else {
            throw failure("GET", realm, answer)
        }
        return "Bearer \(token)"
    }

    /// `Bearer realm="https://…",scope="a:b,c"` as keys and values; commas inside quotes part nothing.
    static func fields(_ challenge: String) -> [String: String] {
        var fields: [String: String] = [:]
        var rest = challenge.drop { $0 != " " }.dropFirst()
        while let equals = rest.firstIndex(of: "=") {
            let key = rest[..<equals].filter { !", ".contains($0) }.lowercased()
            rest = rest[rest.index(after: equals)...]
            let value: Substring
            if rest.first == "\"" {
                rest = rest.dropFirst()
                value = rest.prefix { $0 != "\"" }
                rest = rest.dropFirst(value.count + 1)
            } else {
                value = rest.prefix { $0 != "," }
                rest = rest.dropFirst(value.count)
            }
            fields[key] = String(value)
        }
        return fields
    }

    private static func escaped(_ text: String) -> String {
        text.utf8.map { unit in
            let isPlain =
                (97...122).contains(unit) || (65...90).contains(unit) || (48...57).contains(unit)
                || "-._~".utf8.contains(unit)
            return isPlain ? String(UnicodeScalar(unit)) : "%" + Hex.encode([unit]).uppercased()
        }.joined()
    }

    func failure(_ method: String, _ path: String, _ answer: HTTPResponse) -> RegistryFailure {
        let url = path.contains("://") ? String(path.prefix { $0 != "?" }) : "\(base)/v2/\(repository)/\(path)"
        let text = String(decoding: answer.body.prefix(2000), as: UTF8.self)
        let first = (try? JSON.parse(text))?["errors"]?.array?.first
        let words = [first?["code"]?.string, first?["message"]?.string].compactMap { $0 }.joined(separator: ": ")
        return RegistryFailure(
            method: method, url: url, status: answer.status, words: words.isEmpty ? text.trimmingTrailingSpace : words)
    }
}

/// A registry that refused.
struct RegistryFailure: Failure {
    let method: String
    let url: String
    let status: Int
    let words: String

    var kind: FailureKind { .remote }
    var description: String { "\(method) \(url) was answered with \(status)" + (words.isEmpty ? "" : ": \(words)") }
    var hints: [String] {
        switch status {
        case 401, 403: ["log in with `docker login`, `podman login` or `skopeo login`, and check the right to push"]
        case 404: ["some registries want the repository to be created first"]
        default: []
        }
    }
}

/// What `docker login` and its like have left in their files.
enum RegistryLogin {
    /// The header for a registry, or nil.
    ///
    /// Credential helpers are not asked by this version.
    static func basic(_ host: String) -> String? {
        var files: [String] = []
        if let file = environmentValue("REGISTRY_AUTH_FILE") { files.append(file) }
        if let folder = environmentValue("DOCKER_CONFIG") { files.append(folder + "/config.json") }
        if let home = environmentValue("HOME") {
            files += ["/.docker/config.json", "/.config/containers/auth.json"].map { home + $0 }
        }
        let keys = host == "docker.io" ? ["https://index.docker.io/v1/", host] : [host, "https://\(host)"]
        for file in files {
            guard let text = try? Files.readText(.init(file)), let auths = (try? JSON.parse(text))?["auths"] else {
                continue
            }
            for key in keys { if let auth = auths[key]?["auth"]?.string { return "Basic \(auth)" } }
        }
        return nil
    }
}
