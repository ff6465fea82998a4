public import Base
public import GitKit
internal import Pointers
public import SystemPackage

/// Runs on their way into git: going on, or just ended.
///
/// `<common>/ml/journal/<run>.jsonl` holds the event lines of a run, each flushed before anybody is told of it. While the
/// run goes on, the folder `<run>` beside it is what `GIT_ML_RUN` names: there stand `metrics.jsonl`, which the script
/// appends to, `log`, `system.jsonl`, and `owner`, which says whose run it is. When it ends, or its owner has died, the run
/// is sealed: everything it consists of stands in the `.jsonl` file, and the folder goes. Sealed runs are folded into the
/// notes, many at once.
public struct Journal: Sendable {
    public let root: FilePath
    let kept: any KeptContent

    /// The journal of a repository.
    public init(_ repository: Repository) {
        self.init(repository.mlDirectory.appending("journal"), kept: LocalObjects(mlDirectory: repository.mlDirectory))
    }

    /// The journal in a folder `<common>/ml/journal`, without opening the repository.
    public init(at root: FilePath) {
        self.init(root, kept: LocalObjects(mlDirectory: root.removingLastComponent()))
    }

    init(_ root: FilePath, kept: any KeptContent) {
        self.root = root
        self.kept = kept
    }

    /// What `GIT_ML_RUN` names.
    public func folder(of run: String) -> FilePath { root.appending(run) }

    func file(of run: String) -> FilePath { root.appending(run + ".jsonl") }

    /// Starts a run; `owner` is the process that will end it.
    public func begin(_ record: RunRecord, owner: ProcessIdentity) throws {
        let folder = folder(of: record.run.description)
        try Files.makeDirectory(folder)
        try RunOwner([owner]).write(to: folder)
        try Files.replace(folder.appending("metrics.jsonl"), with: [])
        let lines = try record.lines(store: kept)
        try Files.replace(file(of: record.run.description), with: Self.text(lines))
    }

    /// Adds events to a run that goes on: flushed when this returns.
    public func append(to run: String, _ build: (inout RunEvents) throws -> Void) throws {
        guard let id = UUIDv7(run), Files.exists(folder(of: run)) else { throw JournalFailure.ended(run) }
        try FileLock.with(folder(of: run).appending("lock")) {
            // A server may have ended it while this one waited; then the lock has only made the folder anew.
            guard Files.exists(folder(of: run).appending("owner")), let lines = try lines(of: run) else {
                throw JournalFailure.ended(run)
            }
            var events = RunEvents(run: id, at: Self.next(after: lines))
            try build(&events)
            if !events.lines.isEmpty { try Files.append(Self.text(events.lines), to: file(of: run)) }
        }
    }

    /// Keeps a file with a run that goes on.
    public func addArtifact(_ file: FilePath, role: RunItem.Role, to run: String) throws {
        let content = try kept.keep(file: file)
        let path = file.isAbsolute ? (file.lastComponent?.string ?? "file") : file.lexicallyNormalized().string
        try append(to: run) {
            $0.outputs([RunItem(path: path, digest: content.digest, size: content.size, role: role)])
        }
    }

    /// The event lines of a run; nil when it is not in the journal.
    ///
    /// What a crash left of a last line is left out.
    func lines(of run: String) throws -> [String]? {
        guard let bytes = try Files.read(file(of: run)) else { return nil }
        let whole = bytes[..<(bytes.lastIndex(of: 0x0a) ?? 0)]
        return whole.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The ids of the runs in the journal, oldest first.
    public func runs() throws -> [String] {
        try Files.list(root).filter { $0.hasSuffix(".jsonl") }.map { String($0.dropLast(6)) }
    }

    /// Whether the run goes on: a process that belongs to it is alive.
    public func isGoingOn(_ run: String) -> Bool {
        guard let owner = try? RunOwner(in: folder(of: run)) else { return false }
        return owner.isAlive
    }

    /// A moment that is later than every line.
    static func next(after lines: [String]) -> Timestamp {
        let last = lines.compactMap { (try? JSON.parse($0))?["t"]?.string.flatMap { Timestamp($0) } }.max()
        return Swift.max(.now(), Timestamp(microseconds: (last?.microseconds ?? 0) + 1))
    }

    static func text(_ lines: [String]) -> [UInt8] { Array(lines.map { $0 + "\n" }.joined().utf8) }
}

/// Whose run it is: the processes of which one must live for the run to go on.
struct RunOwner {
    private static let name = "owner"
    private let boot: String
    private let processes: [ProcessIdentity]

    init(_ processes: [ProcessIdentity]) {
        boot = Self.currentBoot
        self.processes = processes
    }

    init?(in folder: FilePath) throws {
        guard let bytes = try Files.read(folder.appending(Self.name)) else { return nil }
        let json = try JSON.parse(bytes)
        boot = json["boot"]?.string ?? ""
        processes = (json["processes"]?.array ?? []).compactMap { process in
            guard let id = process["id"]?.int.flatMap({ Int32(exactly: $0) }), let began = process["began"]?.string
            else { return nil }
            return ProcessIdentity(id: id, began: began)
        }
    }

    func write(to folder: FilePath) throws {
        let list = processes.map { ["id": .int(Int64($0.id)), "began": .string($0.began)] as JSON }
        let json: JSON = ["boot": .string(boot), "processes": .array(list)]
        try Files.replace(folder.appending(Self.name), with: json.encoded())
    }

    /// The same with one more process; those that have died are forgotten.
    func joined(by process: ProcessIdentity) -> RunOwner {
        let others = boot == Self.currentBoot ? processes.filter { $0.isRunning && $0 != process } : []
        return RunOwner(others + [process])
    }

    func has(_ process: ProcessIdentity) -> Bool { boot == Self.currentBoot && processes.contains(process) }

    func isOnly(_ process: ProcessIdentity) -> Bool { processes == [process] }

    var isAlive: Bool { boot == Self.currentBoot && processes.contains { $0.isRunning } }

    /// Changes with every start of the machine; a process id from before means nothing.
    private static let currentBoot =
        (try? Files.readText("/proc/sys/kernel/random/boot_id"))?.trimmingTrailingSpace ?? ""
}

/// Why nothing could be added to a run.
public enum JournalFailure: Failure {
    case ended(String)
    case goesOn(String)
    case noRun

    public var kind: FailureKind { .user }
    public var description: String {
        switch self {
        case .ended(let run): "the run \(run.prefix(12)) does not go on any more"
        case .goesOn(let run): "the run \(run.prefix(12)) goes on"
        case .noRun: "this is not the inside of a run: GIT_ML_RUN is not set"
        }
    }
    public var hints: [String] {
        switch self {
        case .ended: ["to add a tag to it, run `git ml tag --run RUN key=value`"]
        case .goesOn: ["try it again"]
        case .noRun: ["start the script with `git ml run -- COMMAND`, or name a run with --run"]
        }
    }
}
