internal import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import Storage
internal import SystemPackage

/// Checks a table of the candidate against a schema of policy.
struct DataGate: Sendable {
    let checkout: GateCheckout
    /// The commit that schemas are read from; nil: the work tree.
    let policy: ObjectID?
    private var repository: Repository { checkout.owner }

    func check(_ gate: StageSettings.Gate, _ rule: StageSettings.Gate.DataRule, on commit: ObjectID) async throws
        -> GateResult
    {
        do {
            let schema = try schema(rule.schema)
            guard let format = TableFormat(path: rule.path) else {
                throw TableProblem(description: "only .csv, .tsv, .jsonl and .ndjson can be checked")
            }
            let findings = try await findings(rule.path, format, schema, commit)
            return Self.result(gate, findings)
        } catch let problem as TableProblem {
            return GateResult(.data, gate.text, isPassed: false, "\(rule.path): \(problem)")
        } catch let failure as any Failure where failure.kind != .remote {
            var result = GateResult(.data, gate.text, isPassed: false, "\(failure)")
            result.lines = failure.hints
            return result
        }
    }

    private static func result(_ gate: StageSettings.Gate, _ findings: TableCheck.Findings) -> GateResult {
        let size = "\(findings.rows) rows, \(findings.columns) columns"
        guard let first = findings.errors.first else { return GateResult(.data, gate.text, isPassed: true, size) }
        let count = "\(findings.count) error\(findings.count == 1 ? "" : "s")"
        var result = GateResult(.data, gate.text, isPassed: false, "\(count) in \(size): \(first)")
        let more = findings.count - findings.errors.count
        result.lines = findings.errors + (more > 0 ? ["… and \(more) more"] : [])
        return result
    }

    private func schema(_ path: String) throws -> TableSchema {
        let bytes: [UInt8]?
        if let policy {
            bytes = try repository.file(path, in: policy)
        } else {
            bytes = try repository.workTree.flatMap { try Files.read($0.appending(FilePath(path).components)) }
        }
        guard let bytes else {
            let place = policy == nil ? "in the work tree" : "on the protected branch"
            throw TableProblem(description: "the schema \(path) is not \(place)")
        }
        return try TableSchema(String(decoding: bytes, as: UTF8.self), file: path)
    }

    private func findings(_ path: String, _ format: TableFormat, _ schema: TableSchema, _ commit: ObjectID)
        async throws -> TableCheck.Findings
    {
        guard let entry = try repository.entry(path, in: commit) else {
            return try await inDataset(path, format, schema, commit)
        }
        guard [.file, .executable].contains(entry.mode) else {
            throw TableProblem(description: "it is no file in \(commit.short)")
        }
        let bytes = try repository.blob(entry.id)
        guard let pointer = try? Pointer.parse(bytes, path: path) else {
            return try await Self.run(.bytes(bytes), format, schema)
        }
        try await checkout.fetch([pointer])
        // An empty file has no content to bring.
        guard pointer.size > 0 else { return try await Self.run(.bytes([]), format, schema) }
        return try await Self.run(.file(repository.contentStore.path(of: pointer.digest)), format, schema)
    }

    /// A file that is a dataset, or lies in one.
    private func inDataset(_ path: String, _ format: TableFormat, _ schema: TableSchema, _ commit: ObjectID)
        async throws -> TableCheck.Findings
    {
        let datasets = try DatasetScan(repository).pointers(in: commit).map {
            $0.path.dropLast(DatasetPointer.suffix.count)
        }
        guard datasets.contains(where: { path == $0 || path.hasPrefix($0 + "/") }) else {
            throw TableProblem(description: "it is not in \(commit.short)")
        }
        return try await checkout.with(commit, needs: [path]) { folder in
            let file = folder.appending(FilePath(path).components)
            guard Files.status(file)?.kind == .file else {
                throw TableProblem(description: "it is not in the dataset of \(commit.short)")
            }
            return try await Self.run(.file(file), format, schema)
        }
    }

    /// On a thread of its own: a large table takes a while.
    private static func run(_ source: TableSource, _ format: TableFormat, _ schema: TableSchema) async throws
        -> TableCheck.Findings
    {
        try await withCheckedThrowingContinuation { continuation in
            Threads.start {
                continuation.resume(with: Result { try TableCheck.run(source, format, schema) })
            }
        }
    }
}
