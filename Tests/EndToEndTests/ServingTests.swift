import Base
import SystemPackage
import TestSupport
import Testing

/// The Python serving template with real models, asked by the clients that people use.
@Suite(.serialized) struct ServingTests {
    private static let scripts = Places.package.appending("Tests").appending("Serving")

    private let sandbox: Sandbox
    private let python: FilePath

    init() async throws {
        sandbox = try Sandbox(programs: [Places.python])
        python = Places.python.appending("python3")
        let result = try await sandbox.run(
            python.string, [Self.scripts.appending("models.py").string, sandbox.path.appending("apps").string])
        try #require(result.status == 0, "\(result.errors)")
    }

    @Test func `models of every kind answer Triton's and MLflow's clients and count what they were asked`() async throws
    {
        for kind in ["joblib", "pickle", "onnx", "mlflow", "own"] {
            let (server, port) = try await serve(kind)
            let result = try await sandbox.run(
                python.string, [Self.scripts.appending("ask.py").string, "\(port)", kind])
            #expect(result.status == 0, "\(kind): \(result.errors)")
            // Half of the requests, as asked for.
            let samples = try Files.readText(sandbox.path.appending("\(kind).samples")) ?? ""
            #expect([2, 3].contains(samples.split(separator: "\n").count), "\(kind): \(samples)")
            server.identity.signal(SIGTERM)
            _ = try await server.waitForLog("drained")
        }
    }

    @Test func `a server is not ready before its model can be loaded, and says why it ends`() async throws {
        try sandbox.directory.write("apps/joblib/app/model/m.joblib", "no model")
        let error = await #expect(throws: Context.self) { try await serve("joblib") }
        #expect(error.map { "\($0)".contains("m.joblib cannot be loaded") } == true, "\(String(describing: error))")
    }

    private func serve(_ kind: String) async throws -> (BackgroundProcess, Int) {
        let port = freePort()
        let server = try BackgroundProcess(
            python,
            [
                sandbox.path.appending(FilePath("apps/\(kind)/app/serve/server.py").components).string, "--port",
                "\(port)",
            ],
            log: sandbox.path.appending("\(kind).log"),
            variables: ["SAMPLE_FILE": sandbox.path.appending("\(kind).samples").string, "SAMPLE_RATE": "0.5"])
        _ = try await server.waitForLog("listening on")
        return (server, port)
    }
}
