internal import Base
internal import GitKit
internal import Runs
internal import Synchronization

/// MLflow's REST API over one repository.
///
/// The endpoints stand in `MLflowAPI+….swift`, by what they are about. Each is durable before it answers.
final class MLflowAPI: Sendable {
    typealias Endpoint = @Sendable (MLflowAPI, Call) async throws -> Answer

    /// The version of MLflow whose API this is.
    static let version = "3.17.2"

    let ledger: Ledger
    /// Whose runs these are, when the server belongs to one command.
    let session: RunSession?
    var registry: RegistryEvents { ledger.registry }
    var repository: Repository { ledger.repository }

    init(_ ledger: Ledger, session: RunSession? = nil) {
        self.ledger = ledger
        self.session = session
    }

    private static let endpoints: [String: Endpoint] = {
        var all: [String: Endpoint] = [:]
        for table in [
            experimentEndpoints, runEndpoints, loggingEndpoints, metricEndpoints, modelEndpoints, versionEndpoints,
        ] {
            all.merge(table) { $1 }
        }
        return all
    }()

    private static let paths = Set(endpoints.keys.compactMap { $0.split(separator: " ").last.map(String.init) })

    /// Answers a call below `/api/2.0/mlflow/`.
    func answer(_ call: Call) async throws -> Answer {
        if let endpoint = Self.endpoints[call.method + " " + call.path] { return try await endpoint(self, call) }
        if call.path == "logged-models" || call.path.hasPrefix("logged-models/") {
            return try await answerLoggedModels(call)
        }
        throw Self.paths.contains(call.path) ? RouteFailure.wrongMethod : RouteFailure.unknown
    }
}

/// A path or method that is none of the API's.
enum RouteFailure: Error { case unknown, wrongMethod }

/// The run of `git ml run`, into which the first run of its script goes.
final class RunSession: Sendable {
    let run: String
    private let first = Mutex<JSON?>(nil)
    private let shown = Mutex<String?>(nil)

    init(run: String) { self.run = run }

    /// Whether this is the first run that the script starts, or the client asks for it once more.
    func take(_ request: JSON) -> Bool {
        first.withLock { first in
            guard let known = first else {
                first = request
                return true
            }
            return known == request && request["start_time"] != nil
        }
    }

    /// What the script has said of the run's end; the command's end is what counts.
    var status: String? {
        get { shown.withLock { $0 } }
        set { shown.withLock { $0 = newValue } }
    }
}
