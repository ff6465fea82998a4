internal import ArgumentParser
internal import Base
internal import Runs
internal import SystemPackage
internal import Web

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer MLflow's clients out of this repository",
        discussion: """
            A script with `import mlflow` logs into the repository when MLFLOW_TRACKING_URI is the address that is printed:
            its runs are runs here, its artifacts are content, its registered models are tags. Several servers may work on one
            repository. For one command, `git ml run` starts a server by itself.

            On loopback anybody on this machine may ask. Any other address needs --users: a file that only its owner may read,
            one user a line: a name, a password and read, log or stage; `-` for the name makes the password a token.

              $ git ml serve --port 5000
              $ MLFLOW_TRACKING_URI=http://127.0.0.1:5000 python train.py
              $ git ml serve --host 0.0.0.0 --users ~/.git-ml-users --allow-host lab1.example.com

            Exit statuses: 1 when the address is taken or the users cannot be read, 130 and 143 when it was interrupted.
            """)

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port; 0 takes one that is free.")
    var port = 5000

    @Option(help: "A file of users.")
    var users: String?

    @Option(help: "A further name that requests may be sent to, such as that of a proxy.")
    var allowHost: [String] = []

    @Flag(name: .customLong("no-open"), help: "Open no browser; none is opened yet.")
    var noOpen = false

    func validate() throws {
        guard (0...65_535).contains(port) else { throw ValidationError("--port is a number from 0 to 65535") }
        if users == nil, !Self.isLoopback(host) {
            throw ValidationError(
                "others can reach \(host): say who may ask with --users FILE, or listen on 127.0.0.1")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1"
            || host.hasPrefix("127.") && host.utf8.allSatisfy { (48...57).contains($0) || $0 == 0x2e }
    }

    func run() async throws {
        let store = try RunStore.current()
        var settings = WebServer.Settings()
        settings.host = host
        settings.port = port
        let hosts = allowHost + (["0.0.0.0", "::"].contains(host) ? [] : [host])
        settings.access = try users.map { try Access(file: FilePath($0), hosts: allowHost) } ?? Access(hosts: hosts)
        let server = try WebServer(store.repository, settings) { store }
        let name = host.contains(":") ? "[\(host)]" : host
        do {
            try await server.run { port in
                print("http://\(name):\(port)")
                fflush(nil)
            }
        } catch let failure as any Failure {
            throw failure
        } catch {
            throw ServeFailure(address: "\(name):\(port)", reason: "\(error)")
        }
    }
}

/// An address that cannot be listened on.
struct ServeFailure: Failure {
    let address: String
    let reason: String

    var kind: FailureKind { .user }
    var description: String { "cannot listen on \(address): \(reason)" }
    var hints: [String] { ["choose another --port; 0 takes one that is free"] }
}
