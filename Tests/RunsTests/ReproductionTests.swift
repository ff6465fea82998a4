import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct ReproductionTests {
    private typealias Report = ReproductionReport

    // MARK: comparing

    @Test(arguments: [
        (0.9, 0.9, 0.0, "equal"), (.nan, .nan, 0, "equal"), (.infinity, .infinity, 0, "equal"), (0, -0.0, 0, "equal"),
        (0.9, 0.9000001, 0, "different"), (0.9, 0.9000001, 1e-6, "within"), (1e300, 1.01e300, 0.02, "within"),
        (100, 101, 0.01, "within"), (100, 102, 0.01, "different"), (-100, -101, 0.01, "within"),
        (0, 1e-12, 1e-6, "different"), (.nan, 1, 1, "different"), (.infinity, 1, 1, "different"),
        (.infinity, -.infinity, 1, "different"),
    ])
    func `a metric agrees to the last bit, or within the relative tolerance`(
        old: Double, new: Double, tolerance: Double, expected: String
    ) {
        #expect(Report.agreement(old, new, tolerance).rawValue == expected)
        #expect(Report.agreement(new, old, tolerance).rawValue == expected)
    }

    @Test func `metrics that only one run has are missing or new`() {
        let metrics = Report.metrics(["auc": 0.9, "f1": 0.8], ["auc": 0.9, "loss": 0.1], tolerance: 0)
        #expect(metrics.map(\.key) == ["auc", "f1", "loss"])
        #expect(metrics.map(\.agreement) == [.equal, .missing, .new])
    }

    @Test func `outputs are compared by digest, logs are not compared`() {
        func item(_ path: String, _ text: String, _ role: RunItem.Role = .model) -> RunItem {
            RunItem(path: path, digest: .of(text), size: Int64(text.utf8.count), role: role)
        }
        let outputs = Report.outputs(
            [item("a", "1"), item("b", "2"), item("c", "3"), item("output.log", "4", .log)],
            [item("a", "1"), item("b", "x"), item("d", "3"), item("output.log", "5", .log)])
        #expect(outputs.map(\.path) == ["a", "b", "c", "d"])
        #expect(outputs.map(\.agreement) == [.equal, .different, .missing, .new])
    }

    @Test(arguments: [
        ("equal", "equal", "reproduced"), ("", "", "reproduced"), ("equal new", "equal new", "reproduced"),
        ("within", "equal", "reproduced within tolerance"),
        ("within equal", "different", "reproduced within tolerance"),
        ("equal", "different", "different"), ("", "different", "different"), ("different within", "equal", "different"),
        ("within", "missing", "different"), ("missing", "equal", "different"),
    ])
    func `the verdict is what the worst of it says`(metrics: String, outputs: String, expected: String) {
        func parse(_ text: String) -> [Report.Agreement] {
            text.split(separator: " ").compactMap { Report.Agreement(rawValue: String($0)) }
        }
        #expect(Report.verdict(parse(metrics), parse(outputs)).rawValue == expected)
    }

    @Test(arguments: [
        ("finished", 0, "finished", 0, "reproduced"), ("failed", 3, "failed", 3, "reproduced"),
        ("finished", 0, "failed", 1, "different"), ("failed", 3, "finished", 0, "different"),
        ("finished", 0, "killed", 130, "cannot"),
    ])
    func `how a run ended counts too`(
        before: String, oldExit: Int64, after: String, newExit: Int64, expected: String
    ) {
        func run(_ status: String, _ exit: Int64) -> Run {
            var run = Run(id: "r", commit: .emptyTree, started: .now())
            run.status = status
            run.exit = exit
            return run
        }
        var report = Report(run(before, oldExit), tolerance: 0)
        report.judge(run(after, newExit))
        #expect(report.verdict.rawValue == expected)
    }

    @Test func `the environment differs only in what was recorded`() {
        let old: JSON = ["python": "3.12.4", "lock": nil, "cpu": "a", "gpu": []]
        let new: JSON = ["python": "3.13.1", "lock": "sha256:x", "cpu": "a", "gpu": ["A100"]]
        #expect(Report.differences(old, new).map(\.key) == ["python", "gpu"])
        #expect(Report.differences([:], new).isEmpty)
        #expect(Report.differences(["python": "3.13"], new).isEmpty)
        #expect(Report.differences(["python": "3.1"], new).count == 1)
    }

    // MARK: files

    @Test(arguments: [
        "../x", "/etc/passwd", "a/../b", "", "a//b", ".git/hooks/x", ".GIT/config", "./a", "link/x", "link",
    ])
    func `an input that leads out of the work tree is refused`(path: String) throws {
        let directory = try TemporaryDirectory()
        try directory.write("data/x", "1")
        let link = directory.path.appending("link")
        #expect(link.withPlatformString { link in "/tmp".withCString { symlink($0, link) } } == 0)
        #expect(ReproductionInputs.file(path, below: directory.path) == nil)
        #expect(ReproductionInputs.file("data/x", below: directory.path) == directory.path.appending("data/x"))
    }

    @Test func `a work tree goes with its lock, and what a dead process left goes with the next one`() async throws {
        let sandbox = try Sandbox()
        try await sandbox.repository()
        try await sandbox.sh(
            """
            cd work && mkdir b && echo 1 > a && echo 2 > b/c && git add . && git commit -qm a
            printf '#!/bin/sh\\ntouch "%s"\\n' '\(sandbox.path)/ran' > .git/hooks/post-checkout && chmod +x .git/hooks/post-checkout
            git sparse-checkout set --no-cone /a && test ! -e b && rm -f '\(sandbox.path)/ran'
            """)
        let owner = try Repository(sandbox.path.appending("work"))
        let head = try #require(try owner.head())
        let first = try await ScratchWorktree.make(head, in: owner)
        let path = first.path
        #expect(Files.exists(path.appending("a")))
        #expect(Files.exists(path.appending("b").appending("c")))
        #expect(!Files.exists(sandbox.path.appending("ran")))
        // One whose lock is held stays; one whose lock is free goes.
        let dead = owner.mlDirectory.appending("worktrees").appending("dead")
        try await sandbox.sh(
            "cd work && git -c core.hooksPath=/dev/null worktree add -q --detach '\(dead)' && : > '\(dead).lock'")
        let second = try await ScratchWorktree.make(head, in: owner)
        #expect(Files.exists(path.appending("a")))
        #expect(!Files.exists(dead))
        await first.remove()
        await second.remove()
        let left = try Files.list(owner.mlDirectory.appending("worktrees"))
        #expect(left == [])
        let list = try await sandbox.sh("cd work && git worktree list | wc -l && git status --porcelain")
        #expect(list.trimmingTrailingSpace == "1")
    }
}
