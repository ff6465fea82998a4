internal import ArgumentParser
internal import Base
internal import GitKit
internal import Models
internal import Pointers

extension Hook {
    /// Stops a commit that would put a large file into git's history for good.
    struct PreCommit: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pre-commit", abstract: "Catch large files that are not tracked")

        func run() throws {
            let found: [LargeFiles.Found]
            do { found = try check() } catch {
                // What cannot be checked is the user's own affair: the commit goes on.
                return Terminal.error("git-ml: large files were not looked for: \(error)")
            }
            if found.isEmpty { return }
            for file in found {
                let path = shellQuoted(file.path)
                Terminal.error(
                    "git-ml: \(Terminal.safe(file.path)) has \(ByteCount.format(file.size)) and is not tracked")
                Terminal.error("git-ml: run `git rm --cached --quiet -- \(path) && git ml add \(path)`")
            }
            Terminal.error(
                "git-ml: to commit it all the same, use `git commit --no-verify`; `data.warn_above` in ml.yaml is the limit"
            )
            throw ExitCode(1)
        }

        private func check() throws -> [LargeFiles.Found] {
            let repository = try Repository.current()
            let project = (try? Project.inWorkTree(of: repository)) ?? Project()
            let large = LargeFiles(above: project.data.warnAbove)
            let index = try IndexFile.current(gitDirectory: repository.gitDirectory, format: repository.format)
            guard let index else { return [] }
            let suspects = large.suspects(index)
            return suspects.isEmpty ? [] : try large.check(suspects, in: repository)
        }
    }
}
