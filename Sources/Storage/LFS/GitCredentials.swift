internal import Base
internal import Synchronization
internal import SystemPackage
internal import Transport

/// A name and a password for a host.
struct Credential: Sendable, Equatable {
    let user: String
    let password: String
    /// What the helper said besides, to be handed back to it.
    let answer: String
    /// Whether git's helpers gave it and want to know whether it was right.
    let isFromHelper: Bool

    /// The value of the `Authorization` header.
    var header: String { "Basic " + Base64.encode(Array("\(user):\(password)".utf8)) }
}

/// Credentials by host: from `~/.netrc`, else from git's helpers, which may ask the user.
///
/// Asked for once a host and process; what a server has refused is told to the helper and not used again.
final class GitCredentials: Sendable {
    typealias Git = @Sendable (_ arguments: [String], _ input: [UInt8]) async throws -> ProcessResult

    private struct State {
        var known: [String: Credential] = [:]
        var isApproved: Set<String> = []
        var refusedByNetrc: Set<String> = []
        var asking: [String: Task<Credential, any Error>] = [:]
    }

    private let git: Git
    private let netrc: FilePath?
    /// One for the process: a push speaks to one host for the locks and for the bytes.
    private static let state = Mutex(State())

    init(git: @escaping Git, netrc: FilePath? = environmentValue("HOME").map { FilePath($0).appending(".netrc") }) {
        self.git = git
        self.netrc = netrc
    }

    /// The credential for an address; many that ask at once wait for one answer.
    func fill(_ address: NetworkAddress, challenge: String?) async throws -> Credential {
        let key = Self.key(address)
        let task = Self.state.withLock { state -> Task<Credential, any Error> in
            if let known = state.known[key] { return Task { known } }
            if let task = state.asking[key] { return task }
            let mayUseNetrc = !state.refusedByNetrc.contains(key)
            let task = Task { try await ask(address, challenge, mayUseNetrc: mayUseNetrc) }
            state.asking[key] = task
            return task
        }
        do {
            let credential = try await task.value
            Self.state.withLock {
                $0.known[key] = credential
                $0.asking[key] = nil
            }
            return credential
        } catch {
            Self.state.withLock { $0.asking[key] = nil }
            throw error
        }
    }

    /// The server has taken it.
    func approve(_ address: NetworkAddress, _ credential: Credential) async {
        let isNew = Self.state.withLock { $0.isApproved.insert(Self.key(address)).inserted }
        guard isNew, credential.isFromHelper else { return }
        _ = try? await git(["credential", "approve"], Self.request(address, credential))
    }

    /// The server has refused it.
    func reject(_ address: NetworkAddress, _ credential: Credential) async {
        let key = Self.key(address)
        let wasKnown = Self.state.withLock { state -> Bool in
            guard state.known[key] == credential else { return false }
            state.known[key] = nil
            state.isApproved.remove(key)
            if !credential.isFromHelper { state.refusedByNetrc.insert(key) }
            return true
        }
        guard wasKnown, credential.isFromHelper else { return }
        _ = try? await git(["credential", "reject"], Self.request(address, credential))
    }

    private static func key(_ address: NetworkAddress) -> String {
        "\(address.scheme)://\(address.user ?? "")@\(address.hostAndPort)\(address.path)"
    }

    private func ask(_ address: NetworkAddress, _ challenge: String?, mayUseNetrc: Bool) async throws -> Credential {
        if mayUseNetrc, let netrc, let text = try? Files.readText(netrc),
            let entry = Netrc.entry(host: address.host, user: address.user, in: text)
        {
            return Credential(user: entry.login, password: entry.password, answer: "", isFromHelper: false)
        }
        var request = Self.lines(address)
        if let challenge, !challenge.contains("\n") { request += "wwwauth[]=\(challenge)\n" }
        let result = try await git(["credential", "fill"], Array((request + "\n").utf8))
        var fields: [String: String] = [:]
        for line in result.text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { fields[String(parts[0])] = String(parts[1]) }
        }
        guard result.status == 0, let user = fields["username"], let password = fields["password"] else {
            let words = result.errors.split(separator: "\n").last.map { ": \($0)" } ?? ""
            throw RemoteFailure(
                .unauthorized, address: address.shown,
                detail: "it wants to know who you are, and git's credential helpers have no answer" + words,
                hints: [
                    "log in with a helper: `git config --global credential.helper store`, then `git ls-remote \(address.shown)`"
                ])
        }
        return Credential(user: user, password: password, answer: result.text, isFromHelper: true)
    }

    private static func lines(_ address: NetworkAddress) -> String {
        var text = "protocol=\(address.scheme)\nhost=\(address.hostAndPort)\n"
        // git itself leaves the path out unless `credential.useHttpPath` asks for it.
        let path = address.path.drop { $0 == "/" }
        if !path.isEmpty { text += "path=\(path)\n" }
        if let user = address.user, !user.contains("\n") { text += "username=\(user)\n" }
        return text
    }

    private static func request(_ address: NetworkAddress, _ credential: Credential) -> [UInt8] {
        Array((credential.answer.trimmingTrailingSpace + "\n\n").utf8)
    }
}

/// `~/.netrc`: `machine`, `login` and `password`.
enum Netrc {
    /// The entry of a host, of a user when one is named.
    ///
    /// `default` is for no host in particular and says nothing here.
    static func entry(host: String, user: String?, in text: String) -> (login: String, password: String)? {
        var words: [Substring] = []
        for line in text.split(separator: "\n") {
            // A comment runs from a word that begins with # to the line's end, but a password may hold one.
            let parts = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
            words += parts.first?.hasPrefix("#") == true ? [] : parts
        }
        var machine: Substring?
        var login: Substring?
        var password: Substring?
        func found() -> (String, String)? {
            guard let machine, machine.lowercased() == host, let login, let password,
                user == nil || user == String(login)
            else { return nil }
            return (String(login), String(password))
        }
        var i = 0
        while i < words.count {
            let value = i + 1 < words.count ? words[i + 1] : nil
            switch words[i] {
            case "machine", "default":
                if let entry = found() { return entry }
                (machine, login, password) = (words[i] == "default" ? nil : value, nil, nil)
                i += words[i] == "default" ? 1 : 2
            case "login":
                login = value
                i += 2
            case "password":
                password = value
                i += 2
            case "account": i += 2
            default: i += 1
            }
        }
        return found()
    }
}
