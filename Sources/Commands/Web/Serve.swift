internal import ArgumentParser
internal import Base
internal import Runs
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

    func validate() throws { try listening.validate() }

    private var listening: Listening { Listening(host: host, port: port, users: users, allowed: allowHost) }

    func run() async throws {
        let store = try RunStore.current()
        let server = try WebServer(store.repository, listening.settings()) { store }
        try await listening.serve(server.run)
    }
}
