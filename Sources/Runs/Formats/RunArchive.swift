public import Base
public import GitKit
internal import Pointers
internal import Storage
public import SystemPackage

/// Why a file is no archive of runs.
public struct ArchiveFailure: Failure, Equatable {
    public let path: String
    public let line: Int
    public let reason: String

    public var kind: FailureKind { .corrupt }
    public var description: String { "\(path):\(line): \(reason)" }
    public var hints: [String] { ["nothing was taken in; write the file again with `git ml export`"] }
}

/// Runs in a file: their event lines as they are, and their curves.
///
/// The file is JSON lines. First `{"format":"git-ml runs","version":1}`; then the curves that are content, each
/// `{"content":"sha256:…","size":48213,"base64":"…"}`; then for each note `{"on":"<object id>"}` and the event lines that
/// stand on it, byte for byte. Other content (artifacts, logs) can lie beside the file in `FILE.objects`, laid out as
/// ``ContentStore`` does it. Reading it back gives the same lines on the same objects.
public struct RunArchive: Sendable {
    static let header = #"{"format":"git-ml runs","version":1}"#

    /// The event lines by the object that they stand on.
    public private(set) var lines: [ObjectID: [String]] = [:]
    /// The ids of the runs.
    public private(set) var runs: Set<String> = []
    /// How many contents the file brought.
    public private(set) var contents = 0

    /// Whether a first line is that of an archive.
    public static func isArchive(_ line: some Collection<UInt8>) -> Bool {
        (try? JSON.parse(Array(line)))?["format"]?.string == "git-ml runs"
    }

    /// The folder of contents beside an archive.
    static func objects(beside file: FilePath) -> ContentStore { ContentStore(FilePath(file.string + ".objects")) }
}

// MARK: - Writing

extension RunArchive {
    /// What was written.
    public struct Written: Sendable {
        public var lines = 0
        public var contents = 0
        /// Contents that are nowhere to be found: a sentence each.
        public var warnings: [String] = []
    }

    /// Writes runs into a file; with `artifacts`, what they have left goes beside it.
    public static func write(_ runs: [Run], from store: RunStore, to file: FilePath, artifacts: Bool) async throws
        -> Written
    {
        var written = Written()
        let lines = try store.lines(of: runs)
        let kept = KeptObjects(store.repository).store
        var curves: Set<Digest> = []
        for run in runs {
            for case .content(let digest, _) in run.series where !curves.contains(digest) {
                do {
                    if !Files.exists(kept.path(of: digest)) { _ = try await store.content(digest) }
                    curves.insert(digest)
                } catch {
                    written.warnings.append("\(run.name ?? run.id): \(error)")
                }
            }
        }
        if artifacts { written.warnings += try copy(runs.flatMap { $0.inputs + $0.outputs }, store.repository, file) }
        written.contents = curves.count
        written.lines = lines.values.reduce(0) { $0 + $1.count }
        try Files.replace(file) { target in
            func put(_ line: String) throws { _ = try target.writeAll((line + "\n").utf8) }
            try put(header)
            for digest in curves.sorted() {
                guard let bytes = try Files.read(kept.path(of: digest)) else { continue }
                let line: JSON = [
                    "content": .string(digest.description), "size": .int(Int64(bytes.count)),
                    "base64": .string(Base64.encode(bytes)),
                ]
                try put("\(line)")
            }
            for (object, lines) in lines.sorted(by: { $0.key < $1.key }) {
                try put("\(["on": .string(object.hex)] as JSON)")
                try put(lines.joined(separator: "\n"))
            }
        }
        return written
    }

    /// Copies what is here of some items beside the archive.
    private static func copy(_ items: [RunItem], _ repository: Repository, _ file: FilePath) throws -> [String] {
        let target = objects(beside: file)
        let places = [KeptObjects(repository).store, repository.contentStore]
        var missing = 0
        for item in Set(items) {
            guard let place = places.first(where: { $0.contains(item.digest, size: item.size) }) else {
                missing += 1
                continue
            }
            try target.insert(copyOf: place.path(of: item.digest), as: item.digest, size: item.size)
        }
        return missing == 0 ? [] : ["\(missing) file(s) of these runs are not in this clone and were left out"]
    }
}

extension RunStore {
    /// The lines that the notes hold of some runs, by the objects they belong to, in the order of their bytes.
    func lines(of runs: [Run]) throws -> [ObjectID: [String]] {
        var wanted: [ObjectID: Set<RunKey>] = [:]
        for run in runs {
            guard let key = RunKey(run.id) else { continue }
            for note in try index.read({ try IndexLookup($0).notes(of: key) }) { wanted[note, default: []].insert(key) }
        }
        var lines: [ObjectID: [String]] = [:]
        for (note, keys) in wanted {
            let own = try log.notes.lines(on: note).filter { line in
                var line = line
                return line.withUTF8 { NoteLines.run(of: $0) }.map { keys.contains($0) } ?? false
            }
            if !own.isEmpty { lines[try owner(of: note), default: []] += own }
        }
        return lines.mapValues { Set($0).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }
    }

    /// The commit that a note belongs to: for a batch commit its parent, since another clone makes its own.
    private func owner(of note: ObjectID) throws -> ObjectID {
        guard let commit = try? repository.commit(note), commit.message.hasPrefix("git-ml batch "),
            let parent = commit.parents.first
        else { return note }
        return parent
    }
}

// MARK: - Reading

extension RunArchive {
    /// Reads an archive; contents go into `kept` as they come, so that they are there before any line names them.
    ///
    /// With `commit`, all lines stand on that object in place of the one they stood on.
    public init(_ file: FilePath, kept: any KeptContent, commit: ObjectID? = nil) throws {
        let name = file.lastComponent?.string ?? file.string
        var object = commit
        var number = 0
        var splitter = LineSplitter()
        func take(_ line: [UInt8]) throws {
            number += 1
            func failure(_ reason: String) -> ArchiveFailure {
                ArchiveFailure(path: name, line: number, reason: reason)
            }
            guard let json = try? JSON.parse(line) else { throw failure("it is not a JSON object") }
            if number == 1 {
                guard json["format"]?.string == "git-ml runs" else { throw failure("it is no archive of runs") }
                guard json["version"]?.int == 1 else { throw failure("it is of a newer git-ml: update git-ml") }
            } else if let text = json["on"]?.string, json["ev"] == nil {
                guard let id = ObjectID(text) else { throw failure("“on” is no object id") }
                object = commit ?? id
            } else if let text = json["content"]?.string, json["ev"] == nil {
                guard let digest = Digest(text), let bytes = json["base64"]?.string.flatMap({ Base64.decode($0) }),
                    Digest.of(bytes) == digest
                else { throw failure("the content does not match its digest") }
                _ = try kept.keep(bytes)
                contents += 1
            } else {
                guard let object else { throw failure("the line stands on no object") }
                guard json["t"]?.string.flatMap({ Timestamp($0) }) != nil, json["ev"]?.string != nil,
                    let run = json["run"]?.string, UUIDv7(run) != nil,
                    let text = String(validating: line, as: UTF8.self)
                else { throw failure("it is no event of a run") }
                lines[object, default: []].append(text)
                runs.insert(run)
            }
        }
        try Files.readPieces(of: file) { try splitter.feed($0, take) }
        try splitter.finish(take)
        if number == 0 { throw ArchiveFailure(path: name, line: 1, reason: "the file is empty") }
        try keepObjects(beside: file, kept)
    }

    /// Takes in the contents that lie beside the archive and that its lines name.
    private mutating func keepObjects(beside file: FilePath, _ kept: any KeptContent) throws {
        let place = Self.objects(beside: file)
        guard Files.exists(place.root) else { return }
        var items: Set<RunItem> = []
        for line in lines.values.joined() where line.contains(#""items":"#) {
            for item in (try? JSON.parse(line))?["items"]?.array ?? [] {
                if let item = RunItem(item) { items.insert(item) }
            }
        }
        for item in items where place.contains(item.digest, size: item.size) {
            let path = place.path(of: item.digest)
            guard try Digest.of(file: path).digest == item.digest else {
                throw StorageFailure.damaged(item.digest, place: path.string)
            }
            _ = try kept.keep(file: path)
            contents += 1
        }
    }
}

/// Cuts bytes that come in pieces into lines.
struct LineSplitter {
    private var rest: [UInt8] = []

    mutating func feed(_ piece: UnsafeRawBufferPointer, _ body: ([UInt8]) throws -> Void) rethrows {
        var at = 0
        while at < piece.count, let base = piece.baseAddress,
            let end = memchr(base + at, 0x0a, piece.count - at)
        {
            let next = base.distance(to: UnsafeRawPointer(end))
            rest += piece[at..<next]
            at = next + 1
            if !rest.isEmpty { try body(rest) }
            rest.removeAll(keepingCapacity: true)
        }
        rest += piece[at...]
    }

    /// Gives out a last line that has no line feed.
    mutating func finish(_ body: ([UInt8]) throws -> Void) rethrows {
        if !rest.isEmpty { try body(rest) }
        rest = []
    }
}
