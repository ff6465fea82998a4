internal import ArgumentParser
internal import Base
internal import GitKit
internal import SystemPackage

extension Hook {
    /// Wakes a runner and returns at once: whoever pushes waits for this hook.
    struct PostReceive: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "post-receive", abstract: "Wake a runner")

        func run() {
            var isNews = false
            while let line = readLine() {
                let ref = line.split(separator: " ").last ?? ""
                // Our own notes come with every push: they stage nothing.
                if ref.hasPrefix("refs/tags/") || ref.hasPrefix("refs/heads/") { isNews = true }
            }
            guard isNews else { return }
            do {
                let repository = try Repository.current()
                let log = repository.mlDirectory.appending("runner").appending("logs")
                    .appending("\(UUIDv7()).log")
                try Self.removeOld(log.removingLastComponent())
                var environment = Daemon.currentEnvironment()
                for name in ChildProcess.repositoryVariables { environment[name] = nil }
                _ = try Daemon.start(
                    Installation.program, ["runner", "--once", "--repo", repository.commonDirectory.string],
                    environment: environment, log: log)
                print("git-ml: a runner looks at what was pushed. Follow it with: git ml deliveries --follow")
                print("git-ml: its log on the server: \(log)")
            } catch {
                print("git-ml: the runner could not be started: \(error)")
                print("git-ml: start it on the server with: git ml runner --once")
            }
        }

        /// Keeps the latest hundred logs; their names begin with their time.
        private static func removeOld(_ folder: FilePath) throws {
            for name in try Files.list(folder).dropLast(99) { Files.remove(folder.appending(name)) }
        }
    }
}
