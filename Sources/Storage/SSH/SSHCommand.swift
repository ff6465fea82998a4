internal import Base
internal import SystemPackage

/// How ssh is started: as git starts it, by `GIT_SSH_COMMAND`, `core.sshCommand`, `GIT_SSH`, else `ssh`.
struct SSHCommand: Sendable, Equatable {
    private enum Variant { case ssh, simple, putty, tortoise }

    let program: String
    /// What comes before ssh's own arguments.
    let leading: [String]
    private let variant: Variant

    /// `variable` reads an environment variable.
    init(_ settings: LFSSettings, variable: (String) -> String? = { environmentValue($0) }) {
        let shown: String
        if let line = variable("GIT_SSH_COMMAND") ?? (variable("GIT_SSH") == nil ? settings["core.sshcommand"] : nil),
            !line.isEmpty
        {
            // A line for the shell, to which git too hands the arguments apart.
            program = "/bin/sh"
            leading = ["-c", line + #" "$@""#, line]
            shown = line.split(separator: " ").first.map(String.init) ?? line
        } else {
            program = variable("GIT_SSH") ?? "ssh"
            leading = []
            shown = program
        }
        variant =
            switch variable("GIT_SSH_VARIANT") ?? settings["ssh.variant"] ?? "auto" {
            case "simple": .simple
            case "putty", "plink": .putty
            case "tortoiseplink": .tortoise
            case "auto": Self.guess(shown)
            default: .ssh
            }
    }

    private static func guess(_ program: String) -> Variant {
        let name = (program.split(separator: "/").last ?? "").lowercased()
        return switch name.hasSuffix(".exe") ? String(name.dropLast(4)) : name {
        case "plink", "putty": .putty
        case "tortoiseplink": .tortoise
        default: .ssh
        }
    }

    /// The arguments that run a command line at the account's shell.
    func arguments(_ account: SSHAccount, command: String) throws -> [String] {
        try leading + options(account) + host(account) + [command]
    }

    /// The arguments that start a subsystem such as `sftp`.
    func arguments(_ account: SSHAccount, subsystem: String) throws -> [String] {
        guard variant == .ssh || variant == .putty else { throw SSHFailure.noSubsystem(program) }
        // A host that falls silent must not hold a push up for ever.
        let patience = variant == .ssh ? ["-oConnectTimeout=30", "-oServerAliveInterval=20"] : []
        return try leading + patience + options(account) + ["-s"] + host(account) + [subsystem]
    }

    private func options(_ account: SSHAccount) throws -> [String] {
        let batch = variant == .tortoise ? ["-batch"] : []
        guard let port = account.port else { return batch }
        switch variant {
        case .ssh: return ["-p", "\(port)"]
        case .putty, .tortoise: return batch + ["-P", "\(port)"]
        case .simple: throw SSHFailure.noPort(program, account.host)
        }
    }

    /// The host can never be taken for an option: `ssh://-oProxyCommand=…` is an address that somebody may have written.
    private func host(_ account: SSHAccount) throws -> [String] {
        guard !account.host.hasPrefix("-"), !account.host.isEmpty,
            account.host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
        else { throw SSHFailure.notAHost(account.host) }
        return variant == .ssh ? ["--", account.host] : [account.host]
    }
}

/// Why ssh cannot be started as asked.
enum SSHFailure: Failure, Equatable {
    case notAHost(String)
    case noPort(String, String)
    case noSubsystem(String)

    var kind: FailureKind { .user }
    var description: String {
        switch self {
        case .notAHost(let text): "“\(text)” is no name of a host that ssh can be given"
        case .noPort(let program, let host): "\(program) takes no port, and the address of \(host) names one"
        case .noSubsystem(let program): "\(program) cannot start sftp at a host"
        }
    }
    var hints: [String] {
        switch self {
        case .notAHost: ["correct the address in ml.yaml, `lfs.url` or the git remote"]
        case .noPort, .noSubsystem: ["set GIT_SSH_COMMAND or core.sshCommand to OpenSSH's `ssh`"]
        }
    }
}
