internal import Base
internal import GRDB
internal import GitKit
internal import SystemPackage

/// All runs of a repository in an SQLite file: `<common>/ml/index.sqlite`.
///
/// The notes are the truth; the file is what was last read of them and can be deleted at any time. It is brought up to date
/// from the difference of the notes. A new one is built beside its place and renamed, so that a killed build leaves nothing.
/// Where the folder cannot be written the index is built in memory.
final class RunIndex: Sendable {
    let repository: Repository
    private let queue: DatabaseQueue
    private let opening: IndexOpening

    /// Opens the index as the notes are now.
    ///
    /// `progress` is told the part that is done, from 0 to 1, while the index is built.
    static func open(_ repository: Repository, progress: @escaping @Sendable (Double) -> Void = { _ in }) throws
        -> RunIndex
    {
        let path = repository.mlDirectory.appending("index.sqlite")
        let opening = IndexOpening(repository: repository, path: path, progress: progress)
        do {
            return RunIndex(repository, try opening.queue(), opening)
        } catch {
            throw IndexFailure.from(error, path)
        }
    }

    /// The index as it was when it was last read, for those who cannot wait until it is up to date; nil when there is none.
    static func asItIs(_ repository: Repository) -> RunIndex? {
        let path = repository.mlDirectory.appending("index.sqlite")
        let opening = IndexOpening(repository: repository, path: path) { _ in }
        return opening.asItIs().map { RunIndex(repository, $0, opening) }
    }

    private init(_ repository: Repository, _ queue: DatabaseQueue, _ opening: IndexOpening) {
        self.repository = repository
        self.queue = queue
        self.opening = opening
    }

    /// Takes in what the notes have become since it was opened.
    func refresh() throws {
        do {
            try opening.refresh(queue)
        } catch {
            throw IndexFailure.from(error, opening.path)
        }
    }

    /// Reads from one state of the index.
    func read<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            // A query makes temporary tables, which GRDB's own reads forbid.
            return try queue.unsafeRead(body)
        } catch {
            throw IndexFailure.from(error, opening.path)
        }
    }
}

extension FileFailure {
    fileprivate var isReadOnly: Bool { [.permissionDenied, .readOnlyFileSystem].contains(errno) }
}

/// The ways to an index that is up to date.
struct IndexOpening: Sendable {
    let repository: Repository
    let path: FilePath
    let progress: @Sendable (Double) -> Void

    /// Why the file as it stands is of no use.
    private struct Unusable: Error {}

    func queue() throws -> DatabaseQueue {
        do {
            return try existing() ?? built()
        } catch let error as DatabaseError where error.isReadOnly {
            return try readOnly() ?? inMemory()
        } catch let error as FileFailure where error.isReadOnly {
            return try readOnly() ?? inMemory()
        }
    }

    /// The file that is there, brought up to date; nil when there is none that can be.
    private func existing() throws -> DatabaseQueue? {
        guard access(path.string, F_OK) == 0 else { return nil }
        do {
            let queue = try DatabaseQueue(path: path.string, configuration: Self.configuration())
            try refresh(queue)
            return queue
        } catch let error as DatabaseError where error.isCorruption {
            return nil
        } catch is Unusable {
            return nil
        } catch is IndexUpdate.TooMuch {
            return nil
        } catch is GitFailure {
            return nil  // the notes that it knows of have been collected as garbage
        }
    }

    func asItIs() -> DatabaseQueue? {
        guard access(path.string, R_OK) == 0,
            let queue = try? DatabaseQueue(path: path.string, configuration: Self.configuration()),
            (try? queue.read { try Int64.fetchOne($0, sql: "PRAGMA user_version") }) == IndexSchema.version
        else { return nil }
        return queue
    }

    /// Takes in what the notes have become since; nothing is written when they are the same.
    func refresh(_ queue: DatabaseQueue) throws {
        if try queue.read({ try isCurrent($0) }) { return }
        try queue.writeWithoutTransaction { database in
            try database.inTransaction(.immediate) {
                let head = try repository.ref(RunLog.ref)
                guard try !isCurrent(database), let head, let old = try Self.head(database) else { return .rollback }
                let update = try IndexUpdate(
                    notes: NoteView(repository, head: head), database: database, writer: IndexWriter(database))
                try update.run(since: old)
                return .commit
            }
        }
    }

    /// Whether the index shows the notes as they are; throws when it never can.
    private func isCurrent(_ database: Database) throws -> Bool {
        guard try Int64.fetchOne(database, sql: "PRAGMA user_version") == IndexSchema.version else { throw Unusable() }
        let head = try repository.ref(RunLog.ref)
        let known = try Self.head(database)
        let purged = try Self.head(database, "purged")
        if head == known, try purged == repository.ref(PurgedRuns.ref) { return true }
        if head == nil || known == nil { throw Unusable() }
        return false
    }

    private static func head(_ database: Database, _ key: String = "head") throws -> ObjectID? {
        try String.fetchOne(database, sql: "SELECT value FROM meta WHERE key = ?", arguments: [key])
            .flatMap { ObjectID($0) }
    }

    /// A new file; one process builds while others wait for it.
    private func built() throws -> DatabaseQueue {
        try FileLock.with(path.removingLastComponent().appending("index.lock")) {
            if let queue = try existing() { return queue }
            let new = path.removingLastComponent().appending("index.sqlite.new")
            try remove(new)
            try build(new)
            // Not the other way round: SQLite would replay an old log on the new file.
            for suffix in ["-wal", "-shm"] { unlink(path.string + suffix) }
            try Files.rename(new, to: path)
            return try DatabaseQueue(path: path.string, configuration: Self.configuration())
        }
    }

    private func remove(_ file: FilePath) throws {
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(file.string + suffix) }
    }

    private func build(_ file: FilePath) throws {
        do {
            var configuration = Configuration()
            configuration.prepareDatabase { database in
                try database.execute(
                    sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384")
            }
            let queue = try DatabaseQueue(path: file.string, configuration: configuration)
            try fill(queue)
            try queue.writeWithoutTransaction {
                try $0.execute(sql: "PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL")
            }
            try queue.close()
        } catch {
            try? remove(file)
            throw error
        }
    }

    private func fill(_ queue: DatabaseQueue) throws {
        let head = try repository.ref(RunLog.ref)
        try queue.write { database in
            try IndexBuild(notes: NoteView(repository, head: head), progress: progress).run(database)
        }
    }

    /// The file as it lies, when it shows the notes as they are and only cannot be written.
    private func readOnly() throws -> DatabaseQueue? {
        guard access(path.string, R_OK) == 0 else { return nil }
        var configuration = Self.configuration(isReadOnly: true)
        configuration.readonly = true
        guard let queue = try? DatabaseQueue(path: "file:\(path.string)?immutable=1", configuration: configuration),
            (try? queue.read { try isCurrent($0) }) == true
        else { return nil }
        return queue
    }

    private func inMemory() throws -> DatabaseQueue {
        let queue = try DatabaseQueue(configuration: Self.configuration(isReadOnly: true))
        try fill(queue)
        return queue
    }

    private static func configuration(isReadOnly: Bool = false) -> Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.prepareDatabase { database in
            database.add(function: FilterSQL.like)
            if !isReadOnly { try database.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL") }
            try database.execute(sql: "PRAGMA mmap_size = 201326592; PRAGMA temp_store = MEMORY")
        }
        return configuration
    }
}
