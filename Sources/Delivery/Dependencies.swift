internal import Base
internal import Images
internal import SystemPackage

/// Python packages of a requirements file, installed into a folder without a container.
struct Dependencies {
    let cache: FilePath

    /// Installs once for each requirements file and interpreter; afterwards the folder is only read.
    func install(_ requirements: [UInt8], say: (String) -> Void) async throws -> (entries: [LayerEntry], key: Digest) {
        guard let python = ChildProcess.find("python3") else { throw ProcessFailure.notFound(program: "python3") }
        let version = try await ChildProcess.check(
            python.string,
            ["-c", "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform())"]
        ).trimmed
        let key = Digest.of(Array(requirements) + Array(version.utf8))
        let folder = cache.appending(key.hex)
        try await FileLockAsync.with(cache.appending("install.lock")) {
            if Files.exists(folder) { return }
            say("  installing the requirements for \(version)")
            let incoming = cache.appending("incoming-\(UUIDv7())")
            let list = cache.appending("\(key.short).txt")
            try Files.replace(list, with: requirements)
            do {
                try await ChildProcess.check(
                    python.string,
                    [
                        "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-compile",
                        "--only-binary=:all:", "--target", incoming.string, "-r", list.string,
                    ], environment: ["PYTHONPATH": nil, "PYTHONDONTWRITEBYTECODE": "1"])
                try Files.makeDirectory(incoming)
                try Files.rename(incoming, to: folder)
            } catch {
                try? Files.removeTree(incoming)
                throw Context("the requirements cannot be installed", cause: error)
            }
        }
        var entries: [LayerEntry] = []
        try collect(folder, "app/deps", &entries)
        return (entries, key)
    }

    /// Everything but what differs from machine to machine: scripts with their interpreter's path, and their records.
    private func collect(_ folder: FilePath, _ name: String, _ entries: inout [LayerEntry]) throws {
        for child in try Files.list(folder) {
            let (path, inside) = (folder.appending(child), "\(name)/\(child)")
            guard let status = Files.status(path) else { continue }
            if status.kind == .directory {
                if child == "__pycache__" || inside == "app/deps/bin" { continue }
                try collect(path, inside, &entries)
            } else if status.kind == .file, child != "RECORD" {
                entries.append(LayerEntry(inside, .file(path), isExecutable: status.mode & 0o100 != 0))
            }
        }
    }
}

/// A file lock around work that waits.
enum FileLockAsync {
    static func with(_ path: FilePath, _ body: () async throws -> Void) async throws {
        let lock = try FileLock.wait(path)
        try await body()
        _ = consume lock
    }
}
