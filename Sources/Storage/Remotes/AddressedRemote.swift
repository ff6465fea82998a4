public import Base
internal import SystemPackage
internal import Transport

/// The remote that an address names; passing failures are met by trying again, and `GIT_ML_RATE` bounds its speed.
///
/// `file:///folder`, `http(s)://host/prefix` (read-only), `s3://bucket/prefix`, `gs://bucket/prefix`,
/// `az://account/container/prefix`. Keys and endpoints come from `environment` and the files of the user whose `HOME` it
/// names, never from the address: that may stand in a repository.
public func objectRemote(
    _ address: String, environment: [String: String] = Daemon.currentEnvironment()
) throws -> any ObjectRemote {
    try patient(plainRemote(address, environment), environment: environment)
}

/// A remote that meets passing failures by trying again, no faster than `GIT_ML_RATE`.
public func patient(
    _ remote: any ObjectRemote, environment: [String: String] = Daemon.currentEnvironment()
) throws -> any ObjectRemote {
    guard let text = environment["GIT_ML_RATE"], !text.isEmpty else { return RetryingRemote(remote) }
    guard let rate = ByteCount.parse(text), rate > 0 else {
        throw RemoteFailure(
            .refused, address: "GIT_ML_RATE", detail: "“\(text)” is no number of bytes a second, such as 5MB")
    }
    return RetryingRemote(RateLimitedRemote(remote, bytesPerSecond: rate))
}

private func plainRemote(_ address: String, _ environment: [String: String]) throws -> any ObjectRemote {
    guard let scheme = address.firstRange(of: "://") else { throw StorageFailure.unsupportedRemote(address) }
    let rest = address[scheme.upperBound...]
    switch address[..<scheme.lowerBound].lowercased() {
    case "file":
        guard rest.hasPrefix("/") else { throw StorageFailure.unsupportedRemote(address) }
        return DirectoryRemote(FilePath(NetworkAddress.decode(String(rest))))
    case "http", "https":
        guard NetworkAddress(address) != nil else { throw StorageFailure.unsupportedRemote(address) }
        return HTTPRemote(address)
    case "s3": return try S3Remote.amazon(BucketAddress(address, rest), environment)
    case "gs": return try S3Remote.google(BucketAddress(address, rest), environment)
    case "az": return try AzureRemote(BucketAddress(address, rest), environment)
    default: throw StorageFailure.unsupportedRemote(address)
    }
}

/// `bucket/prefix`, the part of an address behind its scheme.
struct BucketAddress {
    let address: String
    let bucket: String
    /// Empty, or with a slash at its end.
    let prefix: String

    init(_ address: String, _ rest: Substring) throws {
        self.address = address
        let parts = rest.split(separator: "/").map(String.init)
        // A user, a query or a fragment could carry secrets or lead elsewhere; no bucket has such a name.
        guard !rest.hasPrefix("/"), let bucket = parts.first, !address.contains("@"), !address.contains("?"),
            !address.contains("#"),
            !parts.contains(".."), !parts.contains("."),
            bucket.utf8.allSatisfy({
                (48...57).contains($0) || (97...122).contains($0) || (65...90).contains($0) || "-._".utf8.contains($0)
            })
        else { throw StorageFailure.unsupportedRemote(NetworkAddress.withoutSecrets(address)) }
        self.bucket = bucket
        prefix = parts.dropFirst().map { $0 + "/" }.joined()
    }
}

extension S3Remote {
    static func amazon(_ place: BucketAddress, _ environment: [String: String]) throws -> S3Remote {
        let settings = try AWSSettings(environment)
        var dialect = S3Client.Dialect.amazon
        if let text = settings.endpoint { dialect = .compatible(endpoint: try endpoint(text, "AWS_ENDPOINT_URL")) }
        let client = S3Client(
            bucket: place.bucket, address: place.address, dialect: dialect, region: settings.region ?? "us-east-1",
            settings.credentials.map { .keys($0) } ?? .anonymous)
        return S3Remote(client, prefix: place.prefix)
    }

    /// With HMAC keys where those are set for Google, else with a token of the application's credentials.
    static func google(_ place: BucketAddress, _ environment: [String: String]) throws -> S3Remote {
        let text = environment["STORAGE_EMULATOR_HOST"] ?? "https://storage.googleapis.com"
        let endpoint = try endpoint(text.contains("://") ? text : "http://\(text)", "STORAGE_EMULATOR_HOST")
        var authorization = S3Client.Authorization.anonymous
        if let key = environment["GS_ACCESS_KEY_ID"], let secret = environment["GS_SECRET_ACCESS_KEY"] {
            authorization = .keys(AWSCredentials(accessKey: key, secretKey: secret))
        } else if let token = try GoogleToken.find(environment) {
            authorization = .token(token)
        }
        let client = S3Client(
            bucket: place.bucket, address: place.address, dialect: .google(endpoint: endpoint), region: "auto",
            authorization)
        return S3Remote(client, prefix: place.prefix)
    }

    private static func endpoint(_ text: String, _ name: String) throws -> NetworkAddress {
        guard let endpoint = NetworkAddress(text), ["http", "https"].contains(endpoint.scheme) else {
            throw RemoteFailure(
                .refused, address: name, detail: "“\(NetworkAddress.withoutSecrets(text))” is no http or https address")
        }
        return endpoint
    }
}
