internal import Base
internal import SystemPackage

/// A login for a registry, as docker, podman and their credential helpers keep it.
enum RegistryCredential: Equatable, Sendable {
    case password(user: String, password: String)
    /// A token that is exchanged for others (`identitytoken`; a helper calls the user `<token>`).
    case identityToken(String)

    /// The `Authorization` header; nil for a token, which is never shown to the registry itself.
    var basic: String? {
        guard case .password(let user, let password) = self else { return nil }
        return "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    }
}

/// Where logins are kept: by docker, podman, skopeo and their credential helpers.
struct RegistryLogins: Sendable {
    private let environment: [String: String]
    /// Where helpers are looked for; nil: on the PATH.
    private let helperPath: String?

    init(environment: [String: String] = Daemon.currentEnvironment(), helperPath: String? = nil) {
        self.environment = environment
        self.helperPath = helperPath
    }

    /// What is known for a repository; nil: nothing, so that it is tried without.
    ///
    /// First `GIT_ML_REGISTRY_USER` and `GIT_ML_REGISTRY_PASSWORD`, where `GIT_ML_REGISTRY_HOST` names this host; then the files
    /// of podman and docker in the order in which they go before one another.
    func find(host: String, repository: String) async throws -> RegistryCredential? {
        if let own = value("GIT_ML_REGISTRY_HOST"), own.lowercased() == host,
            let user = value("GIT_ML_REGISTRY_USER"),
            let password = value("GIT_ML_REGISTRY_PASSWORD")
        {
            return .password(user: user, password: password)
        }
        for file in files() {
            guard let text = try Files.readText(file) else { continue }
            let json = try context("\(file) cannot be read") { try JSON.parse(text) }
            if let found = try await find(in: json, host: host, repository: repository, file: file) { return found }
        }
        return nil
    }

    private func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    private func files() -> [FilePath] {
        var files: [String] = []
        if let file = value("REGISTRY_AUTH_FILE") { files.append(file) }
        if let folder = value("DOCKER_CONFIG") { files.append(folder + "/config.json") }
        let home = value("HOME")
        if let home { files.append(home + "/.docker/config.json") }
        if let folder = value("XDG_RUNTIME_DIR") { files.append(folder + "/containers/auth.json") }
        if let folder = value("XDG_CONFIG_HOME") ?? home.map({ $0 + "/.config" }) {
            files.append(folder + "/containers/auth.json")
        }
        return files.map { FilePath($0) }
    }

    /// In one file: the host's own helper, the helper for all, what stands in the file itself.
    private func find(
        in json: JSON, host: String, repository: String, file: FilePath
    ) async throws -> RegistryCredential? {
        let names = host == "docker.io" ? ["https://index.docker.io/v1/", "docker.io", "index.docker.io"] : [host]
        for name in names {
            if let helper = json["credHelpers"]?[name]?.string {
                if let found = try await CredentialHelper(helper, file: file, path: helperPath).get(name) {
                    return found
                }
            }
        }
        if let helper = json["credsStore"]?.string, !helper.isEmpty {
            for name in names {
                if let found = try await CredentialHelper(helper, file: file, path: helperPath).get(name) {
                    return found
                }
            }
        }
        guard let auths = json["auths"]?.members else { return nil }
        return try Self.best(auths, names: names, host: host, repository: repository, file: file)
    }

    /// The entry with the longest name that is a part of the repository's: podman keeps logins for folders too.
    private static func best(
        _ auths: [JSON.Member], names: [String], host: String, repository: String, file: FilePath
    ) throws -> RegistryCredential? {
        var places = [host]
        for part in repository.split(separator: "/") { places.append("\(places.last ?? host)/\(part)") }
        let wanted = places.reversed() + names
        for place in wanted {
            for member in auths where member.key == place || plain(member.key) == place {
                if let found = try entry(member.value, key: member.key, file: file) { return found }
            }
        }
        return nil
    }

    /// `https://host/v1/` as `host`.
    private static func plain(_ key: String) -> String {
        var key = key[...]
        for scheme in ["https://", "http://"] where key.hasPrefix(scheme) { key = key.dropFirst(scheme.count) }
        while key.hasSuffix("/") { key.removeLast() }
        for version in ["/v1", "/v2"] where key.hasSuffix(version) { key = key.dropLast(3) }
        return String(key)
    }

    private static func entry(_ json: JSON, key: String, file: FilePath) throws -> RegistryCredential? {
        if let token = json["identitytoken"]?.string, !token.isEmpty { return .identityToken(token) }
        if let user = json["username"]?.string, let password = json["password"]?.string, !user.isEmpty {
            return .password(user: user, password: password)
        }
        guard let auth = json["auth"]?.string, !auth.isEmpty else { return nil }
        // A password may hold a colon, a user's name not.
        guard let bytes = Base64.decode(auth), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else {
            throw ImageFailure.malformed(
                place: file.string, reason: "the login for \(key) is not user:password in base 64")
        }
        let password = bytes[(colon + 1)...].prefix { $0 != 0 }
        return .password(
            user: String(decoding: bytes[..<colon], as: UTF8.self), password: String(decoding: password, as: UTF8.self))
    }
}

/// A program `docker-credential-NAME` that keeps logins.
private struct CredentialHelper {
    private static let patience = Duration.seconds(60)
    private let program: String
    private let path: String?

    init(_ name: String, file: FilePath, path: String?) throws {
        let isPlain = name.utf8.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || "-_.".utf8.contains($0)
        }
        guard isPlain, !name.isEmpty else {
            throw ImageFailure.malformed(place: file.string, reason: "“\(name)” is no name of a credential helper")
        }
        program = "docker-credential-\(name)"
        self.path = path
    }

    /// The login that the helper has for a server; nil when it says that it has none.
    func get(_ server: String) async throws -> RegistryCredential? {
        guard let file = ChildProcess.find(program, path: path) else { throw ProcessFailure.notFound(program: program) }
        let result = try await withThrowingTaskGroup(of: ProcessResult?.self) { group in
            group.addTask {
                try await ChildProcess.run(file.string, ["get"], input: Array(server.utf8), limit: 1 << 20)
            }
            group.addTask {
                try await Task.sleep(for: Self.patience)
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            return first
        }
        guard let result else {
            throw ImageFailure.unsupported("\(program) gave no answer within \(Self.patience)")
        }
        guard result.status == 0 else {
            if result.text.contains("credentials not found") { return nil }
            throw ProcessFailure.failed(
                command: "\(program) get", status: result.status,
                errors: result.errors.isEmpty ? result.trimmed : result.errors)
        }
        guard let json = try? JSON.parse(result.trimmed), let user = json["Username"]?.string,
            let secret = json["Secret"]?.string
        else { throw ImageFailure.malformed(place: "the answer of \(program)", reason: "it is not JSON with a Secret") }
        if user.isEmpty && secret.isEmpty { return nil }
        return user == "<token>" ? .identityToken(secret) : .password(user: user, password: secret)
    }
}
