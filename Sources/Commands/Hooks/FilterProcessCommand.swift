internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers
internal import Storage

struct FilterProcessCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filter-process", abstract: "Serve git as the filter of tracked files", shouldDisplay: false)

    func run() async throws {
        let repository = try Repository.current()
        let store = repository.contentStore
        let settings = try? repository.lfsSettings()
        let filter = settings.map { FetchFilter($0) } ?? FetchFilter()
        var process = FilterProcess(store: store, filter: filter) { wanted in
            do {
                let project = (try? Project.inWorkTree(of: repository)) ?? Project()
                let remote = try DataRemote(repository, project: project).resolve()
                try await Self.bring(wanted, from: remote, to: store)
            } catch {
                let lost = wanted.filter { !store.contains($0.pointer.digest, size: $0.pointer.size) }
                Self.report(lost.map(\.path), "\(error)")
            }
        }
        try await process.run()
    }

    /// Brings what the remote has; the rest is told of in one line.
    private static func bring(
        _ wanted: [(pointer: Pointer, path: String)], from remote: any ObjectRemote, to store: ContentStore
    ) async throws {
        let contents = Set(wanted.map { ContentID($0.pointer.digest, size: $0.pointer.size) })
        let present = try await remote.present(Array(contents), for: .download)
        let bar = ProgressBar("git-ml: fetching")
        defer { bar.finish() }
        try await Transfer(remote, store: store) { bar.advance(by: $0, of: $1) }.download(Array(present))
        let lost = wanted.filter { !present.contains(ContentID($0.pointer.digest, size: $0.pointer.size)) }
        if !lost.isEmpty { report(lost.map(\.path), "the content is not at \(remote.address)") }
    }

    private static func report(_ paths: [String], _ reason: String) {
        guard let first = paths.first else { return }
        let others = paths.count > 1 ? " and \(paths.count - 1) more stay pointers" : " stays a pointer"
        Terminal.error("git-ml: \(Terminal.safe(first))\(others): \(reason); `git ml pull` tries again")
    }
}
