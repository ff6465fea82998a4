import Base
import SystemPackage
import TestSupport
import Testing

/// What git does to commits, and what becomes of the runs on them.
struct HistoryTests {
    private let project: Project

    init() async throws {
        project = try Project()
        try await project.sandbox.repository("work")
        _ = try await project.ml("init")
        try await project.sh(
            "echo 'lr: 0.1' > params.yaml; git add . && git commit -qm set-up; git checkout -qb feature")
    }

    private func commit(_ auc: String, _ message: String = "x") async throws {
        try await project.sh("echo '{\"auc\": \(auc)}' > metrics.json; git add . && git commit -qm '\(message)'")
    }

    private func aucs() async throws -> [Double] {
        try await project.ml("runs", "--all", "--json").output.split(separator: "\n")
            .compactMap { try JSON.parse(String($0))["metrics"]?["auc"]?.double }.sorted()
    }

    private func shown(_ revision: String = "HEAD") async throws -> Double? {
        let seen = try await project.ml("show", revision, "--json")
        return try seen.output.split(separator: "\n").first
            .flatMap { try JSON.parse(String($0))["metrics"]?["auc"]?.double }
    }

    @Test func `an amend of the message is no new run, and the run is found on the new commit`() async throws {
        try await commit("0.5")
        try await project.sh("git commit -q --amend -m 'better said'")
        #expect(try await aucs() == [0.5])
        #expect(try await shown() == 0.5)
    }

    @Test func `an amend that changes a metric is a new run`() async throws {
        try await commit("0.5")
        try await project.sh("echo '{\"auc\": 0.6}' > metrics.json; git commit -qa --amend --no-edit")
        #expect(try await aucs() == [0.5, 0.6])
    }

    @Test func `a rebase makes no new runs, and each is found on its new commit`() async throws {
        try await commit("0.5")
        try await commit("0.6")
        try await project.sh(
            "git checkout -q main; echo x > x; git add x; git commit -qm x; git checkout -q feature; git rebase -q main"
        )
        #expect(try await aucs() == [0.5, 0.6])
        #expect(try await shown("HEAD~1") == 0.5)
        #expect(try await shown("HEAD") == 0.6)
    }

    @Test func `a fixup keeps the runs of both commits on the one that is left`() async throws {
        try await commit("0.5", "first")
        try await commit("0.6", "fixup! first")
        try await project.sh("GIT_SEQUENCE_EDITOR=: git rebase -q -i --autosquash HEAD~2")
        #expect(try await aucs() == [0.5, 0.6])
        let notes = try await project.sh("git notes --ref=ml/runs show HEAD")
        #expect(notes.contains(#""auc":{"last":0.5"#) && notes.contains(#""auc":{"last":0.6"#))
    }

    @Test(arguments: [
        "git cherry-pick feature", "git merge -q --squash feature && git commit -qm squashed",
        "git format-patch -q -1 --stdout feature | git am -q",
    ])
    func `what is brought over from another branch is that branch's run`(how: String) async throws {
        try await commit("0.5")
        #expect(try await aucs() == [0.5])
        try await project.sh("git checkout -q main; echo x > x; git add x; git commit -qm x; \(how)")
        #expect(try await aucs() == [0.5])
        #expect(try await shown() == 0.5)
    }

    @Test func `going back to old results by hand is a run of its own`() async throws {
        try await commit("0.5")
        try await commit("0.6")
        try await commit("0.5")
        #expect(try await aucs() == [0.5, 0.5, 0.6])
    }

    @Test func `a detached HEAD is recorded like a branch`() async throws {
        try await project.sh("git checkout -q --detach")
        try await commit("0.5")
        #expect(try await aucs() == [0.5])
    }
}
