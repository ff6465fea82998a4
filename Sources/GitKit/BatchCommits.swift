internal import Base

/// Commits that take further lines where the note of a commit has grown large.
///
/// Batch commit N of a commit has its tree, the commit as its parent and the message `git-ml batch N`; name and time are
/// fixed too, so that all clones make the same one. Its note is read as the commit's own.
public struct BatchCommits: Sendable {
    /// A note of at least so many bytes takes no further runs.
    public static let full = 4 << 20
    /// No note has more bytes than this: forges refuse large blobs for ever.
    public static let limit = 16 << 20

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The id that batch commit `number` (from 1) of a commit has, whether it was made or not.
    public func id(_ number: Int, of commit: Commit) -> ObjectID {
        repository.format.id(of: .commit, Self.bytes(number, of: commit))
    }

    /// Stores batch commit `number` of a commit.
    public func make(_ number: Int, of commit: Commit) throws -> ObjectID {
        try repository.write(.commit, Self.bytes(number, of: commit))
    }

    /// A commit and those of its batch commits that have a note: `size` answers a note's bytes, nil where there is none.
    public func places(of object: ObjectID, size: (ObjectID) throws -> Int?) throws -> [ObjectID] {
        guard let commit = try? repository.commit(object) else { return [object] }
        var places = [object]
        while true {
            let next = id(places.count, of: commit)
            guard try size(next) != nil else { return places }
            places.append(next)
        }
    }

    /// Where lines for an object go: each run whole, to the first note that is not full.
    ///
    /// Batch commits that are needed are stored; a note then passes ``full`` by one run at the most.
    func placing(_ lines: [ArraySlice<UInt8>], on object: ObjectID, size: (ObjectID) throws -> Int?) throws -> [(
        place: ObjectID, lines: [ArraySlice<UInt8>]
    )] {
        guard let commit = try? repository.commit(object) else { return [(object, lines)] }
        var places: [(place: ObjectID, lines: [ArraySlice<UInt8>])] = [(object, [])]
        var room = Self.full - (try size(object) ?? 0)
        for run in RunLines.groups(lines) {
            while room <= 0 {
                let batch = try make(places.count, of: commit)
                room = Self.full - (try size(batch) ?? 0)
                places.append((batch, []))
            }
            places[places.count - 1].lines += run
            room -= run.reduce(0) { $0 + $1.count + 1 }
        }
        return places.filter { !$0.lines.isEmpty }
    }

    private static func bytes(_ number: Int, of commit: Commit) -> [UInt8] {
        let who = Signature(name: "git-ml", email: "git-ml@localhost", time: commit.committer.time).text
        return Array(
            """
            tree \(commit.tree)
            parent \(commit.id)
            author \(who)
            committer \(who)

            git-ml batch \(number)

            """.utf8)
    }
}

/// What an event line says without being read as JSON.
enum RunLines {
    /// The id of the run that a line belongs to; nil for lines of other things.
    ///
    /// The format fixes the order of keys: `{"t":"…","run":"…"`.
    static func run(of line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let key = Array(#","run":""#.utf8)
        guard line.starts(with: #"{"t":""#.utf8), let comma = line.prefix(64).firstIndex(of: 0x2c),
            line[comma...].starts(with: key)
        else { return nil }
        let start = comma + key.count
        guard let end = line[start...].firstIndex(of: 0x22) else { return nil }
        return line[start..<end]
    }

    /// The lines of each run together, in the order of the runs' first lines; a run of more than 4 MiB in pieces.
    static func groups(_ lines: [ArraySlice<UInt8>]) -> [[ArraySlice<UInt8>]] {
        var places: [ArraySlice<UInt8>: Int] = [:]
        var groups: [(lines: [ArraySlice<UInt8>], size: Int)] = []
        for line in lines {
            let run = run(of: line) ?? []
            if let place = places[run], groups[place].size + line.count < BatchCommits.full {
                groups[place].lines.append(line)
                groups[place].size += line.count + 1
            } else {
                places[run] = groups.count
                groups.append(([line], line.count + 1))
            }
        }
        return groups.map(\.lines)
    }
}
