internal import Base
public import Storage

/// How registries are talked to.
public struct RegistryOptions: Sendable {
    /// Hosts, with their ports, that may be asked over plain HTTP or with a certificate that nobody vouches for.
    public var insecure: Set<String>
    /// How many bytes go up at once to registries that take no whole blob; with `chunksAlways` to all.
    public var chunk: Int64 = 96 << 20
    public var chunksAlways = false
    public var retry = Retry()
    /// How many blobs are moved at once.
    public var width = 4
    let credentials: @Sendable (String, String) async throws -> RegistryCredential?

    /// The defaults, with what the environment says.
    ///
    /// `GIT_ML_INSECURE_REGISTRIES` names hosts, parted by commas; `GIT_ML_REGISTRY_CHUNK` is a size such as `50MB`, for
    /// registries behind something that takes no larger request.
    public init(insecure: [String] = []) {
        let named = environmentValue("GIT_ML_INSECURE_REGISTRIES")?.split(separator: ",") ?? []
        self.insecure = Set((insecure + named.map(String.init)).map { $0.lowercased().filter { $0 != " " } })
        if let size = environmentValue("GIT_ML_REGISTRY_CHUNK").flatMap({ ByteCount.parse($0) }), size > 0 {
            chunk = size
            chunksAlways = true
        }
        credentials = { try await RegistryLogins().find(host: $0, repository: $1) }
    }

    /// The same with other credentials.
    init(credentials: @escaping @Sendable (String, String) async throws -> RegistryCredential?) {
        insecure = []
        self.credentials = credentials
    }

    /// Addresses to try in turn: http for this machine, where it is the rule and leaves it nowhere.
    func addresses(_ host: String) -> [String] {
        let real = host == "docker.io" ? "registry-1.docker.io" : host
        if insecure.contains(host) { return ["https://\(real)", "http://\(real)"] }
        let name = host.hasPrefix("[") ? String(host.prefix { $0 != "]" }) : String(host.prefix { $0 != ":" })
        let isHere = name == "localhost" || name.hasPrefix("127.") || name == "[::1"
        return isHere ? ["http://\(real)", "https://\(real)"] : ["https://\(real)"]
    }

    /// Whether plain HTTP is spoken with a registry, where it answers so.
    public func takesPlainHTTP(_ host: String) -> Bool { addresses(host).count > 1 }

    /// Whether a registry is known to break uploads in parts, or to refuse them.
    static func refusesChunks(_ host: String) -> Bool {
        host == "ghcr.io" || host == "gcr.io"
            || [".gcr.io", ".pkg.dev", ".amazonaws.com"].contains { host.hasSuffix($0) }
    }
}
