internal import ArgumentParser
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
        var filter = FilterProcess(store: store) { pointer, path in
            do {
                let project = (try? Project.inWorkTree(of: repository)) ?? Project()
                let remote = try DataRemote(repository, project: project).resolve()
                try await Transfer(remote, store: store).download([ContentID(pointer.digest, size: pointer.size)])
                return true
            } catch {
                Terminal.error("git-ml: \(path) stays a pointer: \(error)")
                return false
            }
        }
        try await filter.run()
    }
}
