internal import Base
internal import Synchronization
internal import Transport

/// Speaks to the LFS server of one git remote, for one direction.
///
/// Finds its address (an ssh account may know it), adds what git's settings say for it, and finds credentials when it asks.
final class LFSClient: Sendable {
    static let mediaType = "application/vnd.git-lfs+json"

    let context: LFSContext
    let direction: TransferDirection
    let endpoint: (address: NetworkAddress, ssh: SSHAccount?, isFromRepository: Bool)
    private let credentials: GitCredentials
    private let state = Mutex(State())

    private struct State {
        /// Whether the server has asked for credentials.
        var wantsCredentials: Bool?
        /// Where the server itself answered from.
        var peer: String?
    }

    init(_ context: LFSContext, _ direction: TransferDirection, credentials: GitCredentials) throws {
        guard case .server(let text, let ssh, let isFromRepository)? = context.endpoint(for: direction) else {
            throw StorageFailure.unsupportedRemote(NetworkAddress.withoutSecrets(context.remote))
        }
        guard let address = NetworkAddress(text) else {
            throw StorageFailure.unsupportedRemote(NetworkAddress.withoutSecrets(text))
        }
        endpoint = (address, ssh, isFromRepository)
        self.context = context
        self.direction = direction
        self.credentials = credentials
    }

    // MARK: The server's own requests

    /// Sends a request below the server's address and reads the JSON it answers; a status other than 2xx is a ``LFSRefusal``.
    func call(_ method: String, _ path: String, _ body: JSON? = nil, query: [(String, String)] = []) async throws
        -> JSON
    {
        for mayRenew in [true, false] {
            let token = try await token()
            let base = try address(token)
            var text = base.text
            while text.hasSuffix("/") { text.removeLast() }
            text += path
            if !query.isEmpty {
                text += "?" + query.map { "\($0)=\(NetworkAddress.encode($1))" }.joined(separator: "&")
            }
            guard let url = NetworkAddress(text) else { throw StorageFailure.unsupportedRemote(base.shown) }
            var request = HTTPRequest(method, url.text, headers: ["Accept": Self.mediaType])
            if let body {
                request.headers["Content-Type"] = Self.mediaType
                request.body = .bytes(body.encoded())
            }
            request.timeout = .seconds(120)
            for (name, value) in token?.headers ?? [:] { request.headers[name] = value }
            let answer = try await send(request, to: url, isAuthenticated: false, isOwn: true)
            if answer.status == 401, token != nil, mayRenew {
                endpoint.ssh.map { SSHToken.forget($0, direction) }
                continue
            }
            return try Self.json(answer, url)
        }
        throw RemoteFailure(
            .unauthorized, address: endpoint.address.shown, detail: "it refuses its own token", status: 401)
    }

    private static func json(_ answer: HTTPResponse, _ url: NetworkAddress) throws -> JSON {
        let json = try? JSON.parse(answer.body)
        guard answer.isSuccess else { throw LFSRefusal(answer, json, url) }
        guard let json, json.members != nil else {
            let isPage = answer.headers["content-type"]?.lowercased().contains("html") ?? false
            throw RemoteFailure(
                .unexpectedAnswer, address: url.shown,
                detail: isPage
                    ? "it answered with a web page, not as an LFS server: a login page, or a proxy in between"
                    : "it did not answer in JSON, as an LFS server does", status: answer.status,
                hints: ["check the address with `git config lfs.url`, and the proxy (`https_proxy`)"])
        }
        return json
    }

    /// The address that requests go to.
    func base() async throws -> NetworkAddress { try address(await token()) }

    private func address(_ token: SSHToken?) throws -> NetworkAddress {
        guard let href = token?.href, !href.isEmpty else { return endpoint.address }
        guard let address = NetworkAddress(href), ["http", "https"].contains(address.scheme) else {
            throw RemoteFailure(
                .unexpectedAnswer, address: endpoint.ssh?.host ?? endpoint.address.shown,
                detail: "`git-lfs-authenticate` names no address that HTTP leads to")
        }
        return address
    }

    private func token() async throws -> SSHToken? {
        guard let account = endpoint.ssh else { return nil }
        return try await SSHToken.find(account, direction, context.settings)
    }

    // MARK: Any request

    /// Sends a request that the server has laid out: to itself, or to wherever it keeps the bytes.
    func perform(_ action: LFSAction, _ method: String, _ change: (inout HTTPRequest) -> Void) async throws
        -> HTTPResponse
    {
        var request = HTTPRequest(method, action.href.text, headers: action.headers)
        request.timeout = nil
        change(&request)
        return try await send(request, to: action.href, isAuthenticated: action.isAuthenticated, isOwn: false)
    }

    /// Follows redirects, and finds credentials when they are asked for.
    private func send(
        _ original: HTTPRequest, to first: NetworkAddress, isAuthenticated: Bool, isOwn: Bool
    ) async throws -> HTTPResponse {
        let server = try await base()
        var request = original
        var address = first
        var isAuthenticated = isAuthenticated || Self.hasAuthorization(original.headers)
        for _ in 0..<6 {
            if !address.hasSameOrigin(as: server) {
                try LFSHref.check(address, namedBy: server)
                if isOwn == false || address != first { request.namedBy = state.withLock { $0.peer } }
            }
            let answer = try await sendOnce(request, to: address, server, isAuthenticated: isAuthenticated)
            if isOwn, address.hasSameOrigin(as: server) { state.withLock { $0.peer = answer.peer ?? $0.peer } }
            guard [301, 302, 303, 307, 308].contains(answer.status), let location = answer.headers["location"] else {
                return answer
            }
            guard let next = address.resolving(location), ["http", "https"].contains(next.scheme) else {
                throw RemoteFailure(
                    .unexpectedAnswer, address: address.shown, detail: "its redirect leads nowhere",
                    status: answer.status)
            }
            try LFSHref.check(next, namedBy: address)
            if !next.hasSameOrigin(as: address) {
                // What was meant for this host is not for another.
                request.headers = request.headers.filter {
                    ["accept", "content-type", "range"].contains($0.key.lowercased())
                }
                isAuthenticated = false
            }
            address = next
            request.url = next.text
        }
        throw RemoteFailure(.unexpectedAnswer, address: first.shown, detail: "it redirects again and again")
    }

    private func sendOnce(
        _ original: HTTPRequest, to address: NetworkAddress, _ server: NetworkAddress, isAuthenticated: Bool
    ) async throws -> HTTPResponse {
        var request = original
        addSettings(&request, address)
        var isAuthenticated = isAuthenticated || Self.hasAuthorization(request.headers)
        if !isAuthenticated, let header = ownAuthorization(address, server) {
            request.headers["Authorization"] = header
            isAuthenticated = true
        }
        let isServer = address.hasSameOrigin(as: server)
        let place = isServer ? credentialAddress(server) : address
        var credential: Credential?
        if !isAuthenticated, isServer, wantsCredentials(server) {
            credential = try await credentials.fill(place, challenge: nil)
        }
        for attempt in 0..<3 {
            request.headers["Authorization"] = credential?.header ?? request.headers["Authorization"]
            let answer = try await RemoteFailure.send(request, address: address.shown)
            guard answer.status == 401, !isAuthenticated else {
                if let credential, answer.isSuccess {
                    await credentials.approve(place, credential)
                    if isServer { await rememberAccess(server) }
                }
                return answer
            }
            if let credential { await credentials.reject(place, credential) }
            if attempt == 2 { return answer }
            let challenge = answer.headers["lfs-authenticate"] ?? answer.headers["www-authenticate"]
            credential = try await credentials.fill(place, challenge: challenge)
        }
        throw RemoteFailure(.unauthorized, address: address.shown, detail: "it refuses every credential", status: 401)
    }

    private static func hasAuthorization(_ headers: [String: String]) -> Bool {
        headers.contains { $0.key.lowercased() == "authorization" }
    }

    // MARK: Settings and credentials

    /// Adds `http.extraHeader` and the like; headers for any host go only to hosts that the user's own settings name.
    private func addSettings(_ request: inout HTTPRequest, _ address: NetworkAddress) {
        let extra = context.settings.values("http", "extraheader", for: address)
        if extra.isForAddress || isUsersOwn(address) {
            var lines = extra.values
            // An empty value takes back what stands before it.
            if let reset = lines.lastIndex(of: "") { lines = Array(lines[(reset + 1)...]) }
            for line in lines {
                guard let colon = line.firstIndex(of: ":"), !line.contains("\n") else { continue }
                let name = String(line[..<colon])
                guard !request.headers.keys.contains(where: { $0.lowercased() == name.lowercased() }) else { continue }
                request.headers[name] = String(line[line.index(after: colon)...].drop { $0 == " " })
            }
        }
        request.tls = LFSTransportSettings(context.settings, address).tls
        request.proxy = LFSTransportSettings(context.settings, address).proxy
    }

    /// Whether the user's settings, not the repository or a server, name this host.
    private func isUsersOwn(_ address: NetworkAddress) -> Bool {
        let named = [
            endpoint.isFromRepository ? nil : endpoint.address,
            context.settings.gitAddress(of: context.remote, for: direction)
                .flatMap { NetworkAddress(context.settings.rewritten($0, for: direction)) },
        ]
        return named.contains { $0?.hasSameOrigin(as: address) ?? false }
    }

    /// From user and password in the address of the LFS server or the git remote.
    private func ownAuthorization(_ address: NetworkAddress, _ server: NetworkAddress) -> String? {
        guard address.hasSameOrigin(as: server) else { return nil }
        for place in [endpoint.address, gitAddress] {
            guard let place, place.hasSameOrigin(as: address), let password = place.password else { continue }
            return Credential(user: place.user ?? "", password: password, answer: "", isFromHelper: false).header
        }
        return nil
    }

    private var gitAddress: NetworkAddress? {
        context.settings.gitAddress(of: context.remote, for: direction)
            .flatMap { NetworkAddress(context.settings.rewritten($0, for: direction)) }
    }

    /// What git's helpers are asked about: the git remote where it is the same host, so that one login serves both.
    private func credentialAddress(_ server: NetworkAddress) -> NetworkAddress {
        if let git = gitAddress, git.hasSameOrigin(as: server) { return git }
        return endpoint.address.hasSameOrigin(as: server) ? endpoint.address : server
    }

    private func wantsCredentials(_ server: NetworkAddress) -> Bool {
        state.withLock { state in
            if let known = state.wantsCredentials { return known }
            let mode = context.settings.values("lfs", "access", for: server).values.last?.lowercased()
            let wants = ["basic", "private"].contains(mode)
            state.wantsCredentials = wants
            return wants
        }
    }

    /// As git-lfs does: the next command need not be turned away first.
    private func rememberAccess(_ server: NetworkAddress) async {
        let isNew = state.withLock { state in
            defer { state.wantsCredentials = true }
            return state.wantsCredentials != true
        }
        if isNew { _ = try? await context.git(["config", "--local", "lfs.\(server.text).access", "basic"], []) }
    }
}
