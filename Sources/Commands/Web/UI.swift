internal import ArgumentParser
internal import Base
internal import GitKit
internal import Runs
internal import SystemPackage
internal import Web

struct UI: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ui",
        abstract: "Show the repository in a browser",
        discussion: """
            Experiments, data, models and deliveries as pages that follow the repository while runs log. Nothing can be
            changed there, nothing is loaded from elsewhere, and it works offline.

            On loopback anybody on this machine may look. Any other address needs --users, as `git ml serve` does.

              $ git ml ui --open
              $ git ml ui --port 8080
              $ git ml ui --host 0.0.0.0 --users ~/.git-ml-users --allow-host lab1.example.com

            With --export the same pages are written as files, for GitHub's or GitLab's Pages: all but the comparison of runs
            and the files that runs have made.

              $ git ml ui --export public

            Exit statuses: 1 when the address is taken or the users cannot be read, 130 and 143 when it was interrupted.
            """)

    @Option(name: [.customLong("host"), .customLong("listen")], help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 takes one that is free.")
    var port = 5050

    @Option(help: "A file of users.")
    var users: String?

    @Option(help: "A further name that requests may be sent to, such as that of a proxy.")
    var allowHost: [String] = []

    @Flag(help: "Open a browser.")
    var open = false

    @Option(help: ArgumentHelp("Write the pages to a folder instead of serving them.", valueName: "dir"))
    var export: String?

    func validate() throws {
        if export != nil, open { throw ValidationError("--export and --open exclude each other") }
        try listening.validate()
    }

    private var listening: Listening { Listening(host: host, port: port, users: users, allowed: allowHost) }

    func run() async throws {
        let repository = try Repository.current()
        let (title, share) = (Self.title(of: repository), try Installation.share())
        if let export {
            let site = SiteExport(repository, title: title, share: share) { try RunStore.current() }
            let count = try await site.write(to: FilePath(export))
            return print("wrote \(count) pages to \(Terminal.safe(export))")
        }
        let server = UIServer(repository, try listening.settings(), title: title, share: share) {
            try RunStore.current()
        }
        let opens = open
        try await listening.serve(server.run) { address in
            if opens { Self.show(address) }
        }
    }

    /// The name of the repository's folder.
    private static func title(of repository: Repository) -> String {
        let folder = repository.workTree ?? repository.commonDirectory
        let name = folder.lastComponent?.string ?? "git-ml"
        return name.hasSuffix(".git") ? String(name.dropLast(4)) : name
    }

    private static func show(_ address: String) {
        #if os(macOS)
        let program = "open"
        #else
        let program = "xdg-open"
        #endif
        Task {
            let result = try? await ChildProcess.run(program, [address])
            if result?.status != 0 { Terminal.error("git-ml: no browser could be opened; go to \(address)") }
        }
    }
}
