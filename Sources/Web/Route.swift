internal import Base

/// What a path is the address of.
struct Route {
    enum Target: Equatable {
        case health, version, serverInfo
        /// Behind `/api/2.0/mlflow/`.
        case api(String)
        /// A file of the artifact proxy.
        case artifact(String)
        case artifactFolder
        /// Multipart uploads and presigned addresses, which clients do without.
        case notOffered
        case runFile, versionFile, upload
        case none
    }

    let target: Target
    /// What the caller must be allowed to.
    let role: Access.Role

    init(_ method: String, _ path: String) {
        target = Self.target(path)
        role =
            switch target {
            case .api(let path): Access.role(for: method, path)
            default: method == "GET" || method == "HEAD" ? .read : .log
            }
    }

    private static func target(_ path: String) -> Target {
        switch path {
        case "/health": return .health
        case "/version": return .version
        case "/get-artifact", "/ajax-api/2.0/mlflow/get-artifact": return .runFile
        case "/model-versions/get-artifact", "/ajax-api/2.0/mlflow/model-versions/get-artifact": return .versionFile
        case "/ajax-api/2.0/mlflow/upload-artifact": return .upload
        default: break
        }
        guard let rest = path.dropping(prefix: "/api/") ?? path.dropping(prefix: "/ajax-api/") else { return .none }
        if rest == "3.0/mlflow/server-info" { return .serverInfo }
        if let path = rest.dropping(prefix: "2.0/mlflow-artifacts/") { return artifacts(path) }
        if let path = rest.dropping(prefix: "2.0/mlflow/") { return .api(path) }
        return .none
    }

    private static func artifacts(_ path: String) -> Target {
        if path == "artifacts" || path == "artifacts/" { return .artifactFolder }
        if path.hasPrefix("mpu/") || path.hasPrefix("presigned/") { return .notOffered }
        guard let raw = path.dropping(prefix: "artifacts/"), let text = PercentCode.decode(raw) else { return .none }
        return .artifact(text)
    }
}
