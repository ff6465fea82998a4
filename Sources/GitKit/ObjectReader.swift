internal import Base
internal import SystemPackage

/// A pair of `git cat-file` that answer for as long as a repository is open, each started when first needed.
///
/// One process for both questions (`--batch-command`) is newer than the git that we ask for.
final class ObjectReader: @unchecked Sendable {  // used under its backend's lock
    private let git: FilePath
    private let environment: [String: String]
    private let folder: FilePath
    private var contents: Coprocess?
    private var headers: Coprocess?

    init(git: FilePath, environment: [String: String], folder: FilePath) {
        self.git = git
        self.environment = environment
        self.folder = folder
    }

    private func start(_ mode: String) throws -> Coprocess {
        try Coprocess(git, ["cat-file", mode], environment: environment, in: folder)
    }

    /// An object's kind and bytes; nil when it is not here and no remote has it.
    func object(_ id: ObjectID) throws -> (kind: ObjectKind, bytes: [UInt8])? {
        let process = try contents ?? start("--batch")
        contents = process
        guard let (kind, size) = try ask(process, id) else { return nil }
        guard let bytes = process.bytes(size), process.bytes(1) == [0x0a] else { throw ended(process, id) }
        return (kind, bytes)
    }

    func header(_ id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
        let process = try headers ?? start("--batch-check")
        headers = process
        return try ask(process, id)
    }

    /// Reads `id SP kind SP size`; nil for `id SP missing`.
    private func ask(_ process: Coprocess, _ id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
        process.send(Array((id.hex + "\n").utf8))
        guard let line = process.line() else { throw ended(process, id) }
        let words = String(decoding: line, as: UTF8.self).split(separator: " ")
        guard words.count == 3, let kind = ObjectKind(rawValue: String(words[1])), let size = Int(words[2]) else {
            if words.last == "missing" { return nil }
            throw GitFailure.malformed(object: id.hex, reason: "git says “\(String(decoding: line, as: UTF8.self))”")
        }
        return (kind, size)
    }

    /// The reader died: of a broken object, or of a remote that does not answer in a partial clone.
    private func ended(_ process: Coprocess, _ id: ObjectID) -> GitFailure {
        _ = process.rest()
        return ProgramBackend.failure(
            "read the object \(id)",
            ProcessResult(
                status: process.wait(), output: [], errors: String(decoding: process.errors, as: UTF8.self)))
    }
}
