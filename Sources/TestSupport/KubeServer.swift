internal import Base
public import SystemPackage

/// `Tests/Servers/kube_server.py`: an API server that real kubectl works with; misbehaving when told to.
public final class KubeServer: Sendable {
    private let process: BackgroundProcess
    private let faults: FilePath
    private let folder: FilePath
    /// `KUBECONFIG`, and a PATH with kubectl on it.
    public let environment: [String: String?]

    public init(_ folder: FilePath) async throws {
        self.folder = folder
        let config = folder.appending("kubeconfig")
        faults = folder.appending("kube-faults.json")
        let script = Places.package.appending("Tests").appending("Servers").appending("kube_server.py")
        process = try BackgroundProcess(
            Places.python.appending("python3"), [script.string, config.string, "--faults", faults.string],
            log: folder.appending("kube.log"))
        environment = [
            "KUBECONFIG": config.string, "PATH": "\(Places.python):\(environmentValue("PATH") ?? "/usr/bin:/bin")",
            "HOME": folder.string,
        ]
        _ = try await process.waitForLog("listening on ")
    }

    /// Sets the switches that the script's own text describes, as JSON.
    public func misbehave(_ json: String) throws { try Files.replace(faults, with: json.utf8) }

    /// Runs kubectl; a status other than 0 is an error.
    @discardableResult
    public func kubectl(_ arguments: String..., input: String = "") async throws -> String {
        try await ChildProcess.check("kubectl", arguments, environment: environment, input: Array(input.utf8)).text
    }

    /// The names of what is there: `deployment.apps/churn-prod service/…`.
    public func names(_ kinds: String = "deployments,services,horizontalpodautoscalers,poddisruptionbudgets")
        async throws -> [String]
    {
        try await kubectl("get", kinds, "--output=name").split(separator: "\n").map(String.init).sorted()
    }

    /// What it was asked to change: `PATCH /api/…`, without what is below `part`.
    public func changes() throws -> [String] {
        (try Files.readText(process.log) ?? "").split(separator: "\n").dropFirst().compactMap {
            try? JSON.parse(String($0))
        }.compactMap { request in
            guard let method = request["method"]?.string, ["PATCH", "DELETE"].contains(method) else { return nil }
            return "\(method) \(request["path"]?.string?.split(separator: "/").suffix(2).joined(separator: "/") ?? "")"
        }
    }
}
