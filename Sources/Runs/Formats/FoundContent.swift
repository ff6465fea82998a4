public import Base
public import SystemPackage

/// What a reader made of a folder or file: runs, and what it could not read.
public struct FoundContent: Sendable {
    public var records: [RunRecord] = []
    /// A sentence each, with the file and the reason; the rest was read.
    public var warnings: [String] = []

    public init() {}

    mutating func add(_ other: FoundContent) {
        records += other.records
        warnings += other.warnings
    }

    /// Runs `body`; a failure becomes a warning that names the file.
    mutating func attempt(_ path: String, _ body: (inout FoundContent) throws -> Void) {
        do {
            try body(&self)
        } catch {
            let text = "\(error)"
            warnings.append(text.contains(path) ? text : "\(path): \(text)")
        }
    }
}

extension Timestamp {
    /// A day before the end of the year 9999, beyond which the text form has no room: lines follow by a microsecond each.
    private static let latest: Int64 = 253_402_214_400_000_000

    /// Seconds since 1970 as some program wrote them; what lies outside 1970 to 9999 is moved to its edge.
    init(writtenSeconds seconds: Double) {
        let microseconds = (seconds * 1e6).rounded()
        if microseconds < Double(Self.latest) {
            self.init(microseconds: Int64(max(microseconds, 0)))
        } else {
            self.init(microseconds: microseconds.isNaN ? 0 : Self.latest)
        }
    }

    /// Milliseconds since 1970 as some program wrote them; what lies outside 1970 to 9999 is moved to its edge.
    init(writtenMilliseconds milliseconds: Int64) {
        self.init(microseconds: min(max(milliseconds, 0), Self.latest / 1000) * 1000)
    }

    /// Reads RFC 3339, also without a zone (UTC then) and with `+00:00`, as Python writes it.
    init?(written text: String) {
        var text = text.replacingSpace
        if text.hasSuffix("+00:00") { text.removeLast(6) }
        self.init(text.hasSuffix("Z") ? text : text + "Z")
    }
}

extension String {
    fileprivate var replacingSpace: String { String(map { $0 == " " ? "T" : $0 }) }
}

/// Counts and names content and stores none of it: for a look at what would be taken in.
public struct UnkeptContent: KeptContent {
    public init() {}

    public func keep(_ bytes: [UInt8]) -> Digest { Digest.of(bytes) }
    public func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
}

/// Walks folders that others have written: no link is followed, and no more is looked at than was agreed.
struct FolderWalk {
    /// How many entries may still be looked at.
    var budget: Int
    let depth: Int

    /// Calls `body` for each file below a folder, with its path from there; folders in the order of their names.
    mutating func files(below folder: FilePath, _ body: (String, FilePath, FileStatus) throws -> Void) throws {
        try walk(folder, "", depth, body)
    }

    private mutating func walk(
        _ folder: FilePath, _ prefix: String, _ depth: Int, _ body: (String, FilePath, FileStatus) throws -> Void
    ) throws {
        for name in try Files.list(folder) {
            guard budget > 0 else { return }
            budget -= 1
            let path = folder.appending(name)
            guard let status = Files.status(path) else { continue }
            switch status.kind {
            case .file: try body(prefix + name, path, status)
            case .directory where depth > 0: try walk(path, prefix + name + "/", depth - 1, body)
            default: break
            }
        }
    }
}
