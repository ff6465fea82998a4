internal import ArgumentParser
internal import Base
internal import GitKit
internal import Storage

struct Lock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reserve files that cannot be merged, so that nobody else pushes them meanwhile",
        discussion: """
            The LFS server of the git remote keeps the locks; the stock git-lfs sees them too. A push of a file that somebody
            else has locked is stopped where `lfs.<url>.locksverify` is true, and told of otherwise.

              $ git ml lock models/churn.joblib
              $ git ml locks                      who has what
              $ git ml unlock models/churn.joblib

            Exit status: 1 when a file is locked already, or the remote keeps no locks.
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var place: LockPlace

    @Argument(help: "Files to lock.")
    var paths: [String]

    func run() async throws {
        let place = try place.open()
        for path in try paths.map(place.relative) {
            let lock = try await place.locks.lock(path)
            try await place.setWritable(path, true)
            print(json.isOn ? LockPlace.json(lock).description : "locked \(Terminal.safe(path))")
        }
    }
}

struct Unlock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give locked files free again",
        discussion: """
              $ git ml unlock models/churn.joblib
              $ git ml unlock --force models/churn.joblib    somebody else's lock, or with changes not committed

            Exit status: 3 when a file is not locked.
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var place: LockPlace

    @Flag(help: "Take it away from its owner, and whatever has not been committed.")
    var force = false

    @Argument(help: "Files to unlock.")
    var paths: [String]

    func run() async throws {
        let place = try place.open()
        for path in try paths.map(place.relative) {
            if !force { try await place.requireCommitted(path) }
            guard let lock = try await place.locks.find(path) else {
                throw LFSLockFailure.notLocked(path: path, server: place.locks.address)
            }
            try await place.locks.unlock(lock, force: force)
            try await place.setWritable(path, false)
            print(json.isOn ? LockPlace.json(lock).description : "unlocked \(Terminal.safe(path))")
        }
    }
}

struct LockList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "locks",
        abstract: "List locked files and who has them",
        discussion: """
              $ git ml locks
              $ git ml locks --verify     says which are your own
            """)

    @OptionGroup var json: JSONOption
    @OptionGroup var place: LockPlace

    @Flag(help: "Ask the server which locks are your own.")
    var verify = false

    func run() async throws {
        let locks = try place.open().locks
        var rows: [(lock: LFSLock, isOwn: Bool?)] = []
        if verify {
            let (ours, theirs) = try await locks.verify()
            rows = ours.map { ($0, true) } + theirs.map { ($0, false) }
            rows.sort { $0.lock.path.utf8.lexicographicallyPrecedes($1.lock.path.utf8) }
        } else {
            rows = try await locks.all().map { ($0, nil) }
        }
        if json.isOn {
            for row in rows { print(LockPlace.json(row.lock, isOwn: row.isOwn)) }
        } else if rows.isEmpty {
            print("Nothing is locked.")
        } else {
            var table = Table(["PATH", "OWNER", "SINCE"] + (verify ? ["YOURS"] : []))
            for row in rows {
                table.add(
                    [row.lock.path, row.lock.owner ?? "", row.lock.lockedAt ?? ""]
                        + (row.isOwn.map { [$0 ? "yes" : "no"] } ?? []))
            }
            table.print()
        }
    }
}
