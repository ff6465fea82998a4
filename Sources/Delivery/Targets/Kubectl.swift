internal import Base
internal import SystemPackage

/// The program `kubectl`, for one context and namespace: every cloud's way to log in works with it.
struct Kubectl: Sendable {
    let context: String?
    let namespace: String?
    /// Laid over this process's environment.
    var environment: [String: String?] = [:]

    private var place: [String] {
        (context.map { ["--context=\($0)"] } ?? []) + (namespace.map { ["--namespace=\($0)"] } ?? [])
    }

    /// What people read: `kubernetes:aks-prod/ml`.
    var description: String { "kubernetes:\(context ?? "current-context")/\(namespace ?? "default")" }

    /// Runs it; what it printed to standard output.
    ///
    /// - Throws: ``KubectlFailure`` with its own words; ``ProcessFailure/notFound(program:)``.
    @discardableResult
    func callAsFunction(_ arguments: String..., input: String = "") async throws -> String {
        try await run(arguments, input: input)
    }

    @discardableResult
    func run(_ arguments: [String], input: String = "") async throws -> String {
        let result = try await ChildProcess.run(
            "kubectl", place + arguments, environment: environment, input: Array(input.utf8))
        guard result.status == 0 else {
            throw KubectlFailure(
                verb: arguments.first ?? "", place: description, reason: result.errors.trimmingTrailingSpace)
        }
        return result.text
    }

    /// The objects of a list that are there.
    func objects(_ arguments: [String]) async throws -> [JSON] {
        let text = try await run(
            ["get", "--output=json", "--ignore-not-found", "--request-timeout=30s"] + arguments)
        guard !text.allSatisfy(\.isWhitespace) else { return [] }
        let json = try JSON.parse(text)
        return json["items"]?.array ?? [json]
    }

    /// Server-side apply as the field manager `git-ml`; with `force` fields that others have taken over are taken back.
    func apply(_ text: String, force: Bool = false) async throws {
        try await run(
            ["apply", "--server-side", "--field-manager=git-ml", "--request-timeout=60s"]
                + (force ? ["--force-conflicts"] : []) + ["--filename=-"], input: text)
    }

    /// Opens a port of this machine that leads to a pod, and calls `body` with it.
    ///
    /// The way is closed when `body` ends, and when this process dies.
    func forward<T: Sendable>(to resource: String, port: Int, _ body: (Int) async throws -> T) async throws -> T {
        // The shell ends kubectl as soon as its own input ends, which it does with us.
        let script = """
            exec 3<&0; "$@" </dev/null & child=$!
            (read -r line <&3; kill $child) >/dev/null 2>&1 & guard=$!
            wait $child; status=$?; kill $guard 2>/dev/null; exit $status
            """
        let process = try Coprocess(
            "/bin/sh",
            ["-c", script, "sh", "kubectl"] + place
                + ["port-forward", "--address=127.0.0.1", resource, ":\(port)"],
            environment: Daemon.currentEnvironment().merging(environment.compactMapValues(\.self)) { $1 })
        defer { process.closeInput() }
        let line = await withCheckedContinuation { waiting in
            Threads.start { waiting.resume(returning: process.line().map { String(decoding: $0, as: UTF8.self) }) }
        }
        let numbers = line?.split(separator: ":").dropFirst().first?.prefix { $0.isNumber }
        guard let numbers, let open = Int(numbers) else {
            _ = process.rest()
            throw KubectlFailure(
                verb: "port-forward", place: description,
                reason: String(decoding: process.errors, as: UTF8.self).trimmingTrailingSpace)
        }
        return try await body(open)
    }
}

/// What kubectl could not do.
struct KubectlFailure: Failure {
    let verb: String
    let place: String
    let reason: String

    var kind: FailureKind { .remote }
    var description: String { "kubectl \(verb) failed at \(place): \(reason)" }
    var hints: [String] {
        if reason.contains("conflict") {
            return [
                "another program manages those fields: let it give them up, or leave them out of the template in templates/deploy"
            ]
        }
        if reason.contains("forbidden") || reason.contains("Forbidden") {
            return ["the account of the runner needs the rights that templates/runner/kubernetes/rights.yaml gives"]
        }
        return []
    }
}
