internal import Base
internal import SystemPackage
internal import Transport

/// Access tokens for Google's storage: from a service account's key, or from the login of a person.
actor GoogleToken {
    private enum Source {
        case serviceAccount(email: String, key: String, keyID: String?)
        case person(id: String, secret: String, refresh: String)
    }

    private static let scope = "https://www.googleapis.com/auth/devstorage.read_write"
    private let source: Source
    private let endpoint: String
    private let file: FilePath
    private var token: (text: String, until: Timestamp)?
    private var fetching: Task<(text: String, until: Timestamp), any Error>?

    /// The file that `GOOGLE_APPLICATION_CREDENTIALS` names, else the one that `gcloud auth application-default login`
    /// leaves; nil when there is none.
    static func find(_ environment: [String: String]) throws -> GoogleToken? {
        if let named = environment["GOOGLE_APPLICATION_CREDENTIALS"], !named.isEmpty {
            let file = FilePath(named)
            guard let bytes = try Files.read(file) else { throw FileFailure("read", file, .noSuchFileOrDirectory) }
            return try GoogleToken(bytes, file)
        }
        guard let home = environment["HOME"] else { return nil }
        let file = FilePath(environment["CLOUDSDK_CONFIG"] ?? home + "/.config/gcloud")
            .appending("application_default_credentials.json")
        return try Files.read(file).map { try GoogleToken($0, file) }
    }

    init(_ bytes: [UInt8], _ file: FilePath) throws {
        self.file = file
        let unusable = { (reason: String) in
            RemoteFailure(
                .unauthorized, address: "\(file)", detail: reason,
                hints: ["set GOOGLE_APPLICATION_CREDENTIALS to a service account's key in JSON"])
        }
        guard let json = try? JSON.parse(bytes) else { throw unusable("the Google credentials are not JSON") }
        let endpoint = json["token_uri"]?.string ?? "https://oauth2.googleapis.com/token"
        // The file is the user's own, but what it is sent to must not be readable on the way.
        guard let place = NetworkAddress(endpoint),
            place.scheme == "https" || ["127.0.0.1", "localhost", "::1"].contains(place.host)
        else { throw unusable("its token_uri is not https") }
        self.endpoint = endpoint
        switch json["type"]?.string {
        case "service_account":
            guard let email = json["client_email"]?.string, let key = json["private_key"]?.string else {
                throw unusable("the service account lacks client_email or private_key")
            }
            source = .serviceAccount(email: email, key: key, keyID: json["private_key_id"]?.string)
        case "authorized_user":
            guard let id = json["client_id"]?.string, let secret = json["client_secret"]?.string,
                let refresh = json["refresh_token"]?.string
            else { throw unusable("the login lacks client_id, client_secret or refresh_token") }
            source = .person(id: id, secret: secret, refresh: refresh)
        case let other:
            throw unusable("credentials of the type “\(other ?? "")” cannot be used by git-ml")
        }
    }

    /// A token that holds for some minutes yet.
    func current() async throws -> String {
        if let token, token.until > .now().advanced(bySeconds: 120) { return token.text }
        // Many transfers begin at once: one of them fetches it.
        let task = fetching ?? Task { try await self.fetch() }
        fetching = task
        defer { if fetching == task { fetching = nil } }
        let fresh = try await task.value
        token = fresh
        return fresh.text
    }

    private func fetch() async throws -> (text: String, until: Timestamp) {
        let form = try form(at: .now()).map { "\($0.0)=\(NetworkAddress.encode($0.1))" }.joined(separator: "&")
        let request = HTTPRequest(
            "POST", endpoint, headers: ["Content-Type": "application/x-www-form-urlencoded"],
            body: .bytes(Array(form.utf8)))
        let shown = NetworkAddress.withoutSecrets(endpoint)
        let answer = try await RemoteFailure.send(request, address: shown)
        let json = try? JSON.parse(answer.body)
        guard answer.isSuccess, let text = json?["access_token"]?.string else {
            let words = json?["error_description"]?.string ?? json?["error"]?.string
            guard answer.status < 500, answer.status != 429 else {
                throw RemoteFailure(answer, address: shown, words: words)
            }
            throw RemoteFailure(
                .unauthorized, address: shown,
                detail:
                    "no token for the credentials in \(file): \(RemoteFailure.oneLine(words ?? "\(answer.status)"))",
                status: answer.status, hints: ["check the key, the clock of this machine, or log in again"])
        }
        return (text, Timestamp.now().advanced(bySeconds: json?["expires_in"]?.double ?? 3600))
    }

    private func form(at time: Timestamp) throws -> [(String, String)] {
        switch source {
        case .person(let id, let secret, let refresh):
            return [
                ("client_id", id), ("client_secret", secret), ("refresh_token", refresh),
                ("grant_type", "refresh_token"),
            ]
        case .serviceAccount(let email, let key, let keyID):
            let now = time.microseconds / 1_000_000
            let claims: JSON = [
                "iss": .string(email), "scope": .string(Self.scope), "aud": .string(endpoint), "iat": .int(now),
                "exp": .int(now + 3600),
            ]
            guard let token = try? SignedToken.make(claims, key: key, keyID: keyID) else {
                throw RemoteFailure(
                    .unauthorized, address: "\(file)", detail: "its private_key is not an RSA key in PEM")
            }
            return [("assertion", token), ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")]
        }
    }
}
