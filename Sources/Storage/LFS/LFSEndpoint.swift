internal import Base
public import SystemPackage
internal import Transport

/// Where the LFS objects of a git remote are.
public enum LFSEndpoint: Sendable, Equatable {
    /// A server that speaks the batch API at an address, with `ssh` the account that knows how to reach it.
    case server(String, ssh: SSHAccount?, isFromRepository: Bool)
    /// A repository on this machine.
    case local(FilePath)

    /// Finds it as git-lfs does: `lfs.pushurl`, `lfs.url`, `remote.<name>.lfspushurl`, `.lfsurl`, else from the git remote's address.
    ///
    /// Nil when nothing says where. Relative paths count from `directory`.
    public static func find(
        remote: String, for direction: TransferDirection, in settings: LFSSettings, directory: FilePath
    ) -> LFSEndpoint? {
        let keys =
            direction == .upload
            ? ["lfs.pushurl", "lfs.url", "remote.\(remote).lfspushurl", "remote.\(remote).lfsurl"]
            : ["lfs.url", "remote.\(remote).lfsurl"]
        for key in keys {
            guard let address = settings[key], !address.isEmpty else { continue }
            return LFSEndpoint(
                settings.rewritten(address, for: direction), gitProtocol: settings["lfs.gitprotocol"] ?? "https",
                isFromRepository: settings.isFromRepository(key), directory: directory)
        }
        guard let address = settings.gitAddress(of: remote, for: direction) else { return nil }
        return LFSEndpoint(
            settings.rewritten(address, for: direction), gitProtocol: settings["lfs.gitprotocol"] ?? "https",
            isFromRepository: false, directory: directory
        ).map(\.ofRepository)
    }

    /// Reads an address in any form that git takes.
    init?(_ address: String, gitProtocol: String, isFromRepository: Bool, directory: FilePath) {
        if address.hasPrefix("/") || address.hasPrefix("./") || address.hasPrefix("../") || address == "." {
            self = .local(directory.pushing(FilePath(address)).lexicallyNormalized())
            return
        }
        if address.hasPrefix("file://") {
            let path = address.dropFirst("file://".count)
            self = .local(FilePath(String(path.drop { $0 != "/" })))
            return
        }
        if let url = NetworkAddress(address) {
            switch url.scheme {
            case "http", "https": self = .server(address, ssh: nil, isFromRepository: isFromRepository)
            case "git":
                self = .server(
                    "\(gitProtocol)://\(url.hostAndPort)\(url.rest)", ssh: nil, isFromRepository: isFromRepository)
            case "ssh", "git+ssh", "ssh+git":
                let account = SSHAccount(
                    host: (url.user.map { "\($0)@" } ?? "") + url.host, port: url.port, path: url.path)
                self = .server("https://\(url.host)\(url.path)", ssh: account, isFromRepository: isFromRepository)
            default: return nil
            }
            return
        }
        // A remote helper's address (`ext::…`) is nothing that LFS can follow.
        guard !address.contains("::"), !address.contains("://"), let account = SSHAccount(shortForm: address) else {
            let path = directory.pushing(FilePath(address))
            guard access(path.string, F_OK) == 0 else { return nil }
            self = .local(path.lexicallyNormalized())
            return
        }
        let host = account.host.split(separator: "@").last.map(String.init) ?? account.host
        let path = account.path.hasPrefix("/") ? account.path : "/" + account.path
        self = .server("https://\(host)\(path)", ssh: account, isFromRepository: isFromRepository)
    }

    /// The address of a git repository made that of its LFS server: `<url>.git/info/lfs`.
    private var ofRepository: LFSEndpoint {
        guard case .server(var address, let ssh, let isFromRepository) = self else { return self }
        while address.hasSuffix("/") { address.removeLast() }
        return .server(
            address + (address.hasSuffix(".git") ? "/info/lfs" : ".git/info/lfs"), ssh: ssh,
            isFromRepository: isFromRepository)
    }
}
