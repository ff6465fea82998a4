internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Storage

struct Prune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Delete content from this clone that is safe at the data remote",
        discussion: """
            Nothing goes that the remote does not have: it is asked for each content. A remote that is this clone's own store, or a
            link to it, is refused. What a work tree, the index, a stash, a
            commit of the last days, one that has not been pushed or a run that is not recorded yet names stays, and so does what
            came into this clone less than --grace days ago. Unpacked files of datasets that are links (`data.link`) go when nothing
            is a link to them any more.

              $ git ml prune --dry-run
              $ git ml prune --days 30
            """,
        aliases: ["gc"])

    @Option(
        help:
            "Keep what commits of so many days name; the default is lfs.fetchrecentcommitsdays and lfs.pruneoffsetdays."
    )
    var days: Int?

    @Option(help: "Keep what came into this clone less than so many days ago.")
    var grace = 14

    @Option(help: "The git remote whose data remote is asked.")
    var remote: String?

    @Flag(help: "Only show what would go.")
    var dryRun = false

    @OptionGroup var json: JSONOption

    func validate() throws {
        if grace < 0 || days ?? 0 < 0 { throw ValidationError("a number of days cannot be negative") }
    }

    func run() async throws {
        let repository = try Repository.current()
        let settings = try repository.lfsSettings()
        let usual = (settings.int("lfs.fetchrecentcommitsdays") ?? 7) + (settings.int("lfs.pruneoffsetdays") ?? 3)
        let before = Timestamp(microseconds: Timestamp.now().microseconds - Int64(grace) * 86_400_000_000)
        let pruning = Pruning(repository, days: days ?? usual)
        let files = try await pruning.candidates(olderThan: before)
        let packs = try await pruning.datasetCandidates(olderThan: before)
        var safe: [(contents: Set<ContentID>, store: ContentStore)] = []
        if !files.isEmpty || !packs.isEmpty {
            let data = try DataCommand(repository).remote(remote)
            for (contents, store) in [(files, repository.contentStore), (packs, KeptObjects(repository).store)] {
                safe.append((try await pruning.safe(contents, in: store, at: data), store))
            }
        }
        let kept = files.count + packs.count - safe.reduce(0) { $0 + $1.contents.count }
        let chunks = try pruning.chunks(olderThan: before)
        safe.append((Set(chunks.contents), chunks.store))
        let unpacked = try await pruning.unpacked(olderThan: before)
        safe.append((Set(unpacked.contents), unpacked.store))
        var gone: [ContentID] = []
        for (contents, store) in safe {
            for content in contents.sorted(by: { $0.digest < $1.digest })
            where dryRun || store.remove(content.digest, ifOlderThan: before) { gone.append(content) }
        }
        show(gone, kept: kept)
    }

    private func show(_ gone: [ContentID], kept: Int) {
        if json.isOn {
            for content in gone {
                print(
                    [
                        "oid": .string(content.digest.description), "size": .int(content.size),
                        "deleted": .bool(!dryRun),
                    ] as JSON)
            }
            return
        }
        if dryRun {
            for content in gone { print("would delete \(content.digest.hex) \(ByteCount.format(content.size))") }
        }
        let bytes = ByteCount.format(gone.reduce(0) { $0 + $1.size })
        if gone.isEmpty {
            print("Nothing to delete.")
        } else if !dryRun {
            print("deleted \(gone.count) object(s), \(bytes)")
        }
        if kept > 0 { print("kept \(kept) object(s) that the remote does not have") }
    }
}
