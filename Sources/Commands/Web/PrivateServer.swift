internal import Base
internal import GitKit
internal import Runs
internal import Synchronization
internal import Web

/// MLflow's API for the time of one command, on a port of loopback that only the command is told, with a token of its own.
struct PrivateServer {
    private let task: Task<Void, any Error>
    private let port: Int
    private let token: String

    /// Starts the server; `run` is the run that the first run of the script becomes.
    static func start(_ repository: Repository, for run: String) async throws -> PrivateServer {
        var settings = WebServer.Settings()
        let token = Hex.encode((0..<32).map { _ in UInt8.random(in: 0...255) })
        settings.access = Access(token: token)
        settings.run = run
        settings.heedsSignals = false
        let server = try WebServer(repository, settings) { try RunStore(repository) }
        let (ports, started) = AsyncThrowingStream.makeStream(of: Int.self)
        let task = Task {
            do { try await server.run { started.yield($0) } } catch {
                started.finish(throwing: error)
                throw error
            }
        }
        for try await port in ports { return PrivateServer(task: task, port: port, token: token) }
        throw CancellationError()
    }

    /// What MLflow's client is told of it.
    var environment: [String: String] {
        ["MLFLOW_TRACKING_URI": "http://127.0.0.1:\(port)", "MLFLOW_TRACKING_TOKEN": token]
    }

    /// Stops the server, which folds in what its client has left.
    func stop() async {
        task.cancel()
        _ = await task.result
    }
}

/// Holds the server of a command from its start to its end.
final class ServerBox: Sendable {
    private let server = Mutex<PrivateServer?>(nil)

    /// Starts the server and returns what the command is told of it; without one the run goes on all the same.
    func start(_ repository: Repository, for run: String, experiment: String?) async -> [String: String] {
        do {
            let new = try await PrivateServer.start(repository, for: run)
            server.withLock { $0 = new }
            var environment = new.environment
            if let experiment { environment["MLFLOW_EXPERIMENT_NAME"] = experiment }
            return environment
        } catch {
            Terminal.error("git-ml: MLflow's clients cannot log into this run: \(error)")
            return [:]
        }
    }

    func stop() async {
        let running = server.withLock { server in
            defer { server = nil }
            return server
        }
        await running?.stop()
    }
}
