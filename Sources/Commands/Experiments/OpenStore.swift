internal import Base
internal import GitKit
internal import Models
internal import Runs

extension RunStore {
    /// The runs of the repository that this process is in, up to date; a person is told what had to be made up for.
    static func current() throws -> RunStore {
        let repository = try Repository.current()
        let bar = ProgressBar("git-ml: reading the recorded runs")
        defer { bar.finish() }
        var store = try RunStore(repository, recorder: Hook.recorder(repository)) { bar.show(part: $0) }
        store.remote = { try DataRemote(repository, project: Project.inWorkTree(of: repository)).resolve() }
        for warning in store.caughtUp.warnings { Terminal.error("git-ml: \(warning)") }
        if store.caughtUp.recorded > 0 {
            Terminal.error(
                "git-ml: recorded \(store.caughtUp.recorded) commit(s) that no hook had seen; "
                    + "`git ml doctor` tells whether the hooks run")
        }
        return store
    }
}
