internal import Base
internal import GitKit
internal import SystemPackage

/// What DVC tracks in a git work tree.
struct DVCProject: Sendable {
    let workTree: FilePath
    private(set) var reader = DVCReader()
    /// The folder with `.dvc` for each file that says what DVC tracks.
    private(set) var roots: [String: FilePath] = [:]

    /// Reads every `.dvc` file and `dvc.lock` that git tracks or would.
    init(_ repository: Repository) async throws {
        workTree = try repository.requireWorkTree()
        let list = try await repository.git.attempt([
            "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name",
        ])
        guard list.status == 0 else {
            throw ProcessFailure.failed(command: "git ls-files", status: list.status, errors: list.errors)
        }
        for record in Set(list.output.split(separator: 0).map { Array($0) }).sorted(by: {
            $0.lexicographicallyPrecedes($1)
        }) {
            guard let file = String(validating: record, as: UTF8.self) else { continue }
            let name = file.split(separator: "/").last.map(String.init) ?? file
            guard (name.hasSuffix(".dvc") && name != ".dvc") || name == "dvc.lock",
                !file.split(separator: "/").contains(".dvc"), let root = root(of: file)
            else { continue }
            // A link could lead anywhere.
            guard Files.status(path(file))?.kind == .file, let text = try Files.readText(path(file)) else { continue }
            roots[file] = root
            if name == "dvc.lock" {
                let pipeline = path(DVCReader.join(DVCReader.folder(of: file), "dvc.yaml") ?? "dvc.yaml")
                try reader.read(lock: text, pipeline: Files.readText(pipeline), file: file)
            } else {
                try reader.read(dvcFile: text, file: file)
            }
        }
        if roots.isEmpty, !Files.exists(workTree.appending(".dvc")) { throw DVCFailure.noProject(workTree.string) }
    }

    func path(_ name: String) -> FilePath { workTree.appending(FilePath(name).components) }

    private func root(of file: String) -> FilePath? {
        var folder = path(file).removingLastComponent()
        while folder.starts(with: workTree) {
            if Files.status(folder.appending(".dvc"))?.kind == .directory { return folder }
            if folder == workTree { return nil }
            folder = folder.removingLastComponent()
        }
        return nil
    }

    /// The outputs that the paths mean (`.dvc` files, `dvc.lock`, outputs, folders); all without paths.
    func outputs(_ paths: [String]) throws -> [DVCOutput] {
        func isMeant(_ output: DVCOutput, _ path: String) -> Bool {
            let names = [output.path, output.file, String(output.file.dropLast(output.isDVCFile ? 4 : 0))]
            if path.hasSuffix("dvc.yaml"), output.file == path.dropLast(4) + "lock" { return true }
            return path.isEmpty || names.contains { $0 == path || $0.hasPrefix(path + "/") }
        }
        for path in paths where !reader.outputs.contains(where: { isMeant($0, path) }) {
            throw DVCFailure.nothing([path])
        }
        var seen: Set<String> = []
        let found = reader.outputs.filter { output in
            (paths.isEmpty || paths.contains { isMeant(output, $0) }) && seen.insert(output.path).inserted
        }
        guard !found.isEmpty || !reader.skipped.isEmpty else { throw DVCFailure.nothing(paths) }
        return found
    }
}
