import Base
import GitKit
import Runs
import SystemPackage
import TestSupport

@testable import Models

/// A repository with a model `m`, a stage `prod`, and the keys of `lead` (whom policy names) and `stranger`.
struct PolicyRepository {
    let sandbox: Sandbox
    var repository: Repository { get throws { try Repository(sandbox.path.appending("work")) } }

    /// `stage` is what `ml.yaml` says of `prod`.
    init(stage: String = "{signers: .ml/allowed_signers}") async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        try await sandbox.sh(
            """
            for who in lead stranger second; do ssh-keygen -q -t ed25519 -N '' -C $who -f $who; done
            cd work
            git config gpg.format ssh
            git config user.signingKey "$PWD/../lead"
            mkdir -p .ml models
            printf 'lead@example.com %s\\n' "$(cut -d' ' -f1,2 ../lead.pub)" > .ml/allowed_signers
            echo weights > models/m.bin
            """)
        try await settings(stage)
    }

    /// Commits another policy on the protected branch.
    func settings(_ stage: String) async throws {
        try sandbox.directory.write(
            "work/ml.yaml",
            "version: 1\nrepo: here\nmodels:\n  m: {path: models/m.bin}\nstages:\n  prod: \(stage)\n")
        try await sh("git add -A; git commit -q --allow-empty -m policy")
    }

    @discardableResult
    func sh(_ line: String) async throws -> String {
        try await sandbox.sh(line, in: "work").trimmingTrailingSpace
    }

    /// Makes an annotated tag; `options` are git's, `-s` to sign it.
    func tag(_ name: String, _ options: String = "-s", message: String = "stage it", on commit: String = "HEAD")
        async throws
    {
        try sandbox.directory.write("message", message + "\n")
        try await sh("git tag \(options) -F ../message --cleanup=verbatim '\(name)' \(commit)")
    }

    /// What the policy at the newest commit of `main` says of a tag.
    func verdict(_ name: String = "m#prod#1") async throws -> PolicyVerdict {
        let repository = try repository
        let tags = try repository.tags()
        guard let tag = tags.first(where: { $0.name == name }) else { throw GitFailure.unknownRevision(name) }
        return try await PolicyCheck(policy(), tags: tags) { try RunStore(repository) }.verdict(on: tag)
    }

    func policy() throws -> Policy {
        let repository = try repository
        guard let policy = try Policy(at: repository.resolve("main"), branch: "main", in: repository) else {
            throw GitFailure.unknownRevision("ml.yaml")
        }
        return policy
    }

    /// The one-word reasons against a tag.
    func codes(_ name: String = "m#prod#1") async throws -> [String] {
        try await verdict(name).refusals.map(\.code)
    }

    /// Replaces the signers file on the protected branch; `$lead`, `$stranger` and `$second` stand for public keys.
    func signers(_ text: String, revoked: String? = nil) async throws {
        try await sh(
            """
            key() { cut -d' ' -f1,2 "../$1.pub"; }
            lead=$(key lead) stranger=$(key stranger) second=$(key second)
            cat > .ml/allowed_signers <<END
            \(text)
            END
            \(revoked.map { "printf '%s\\n' \"\($0)\" > .ml/allowed_signers.revoked" } ?? "")
            git add -A; git commit -q -m signers
            """)
    }

    /// The statement of a tag on HEAD, with lines replaced (nil: left out).
    func statement(_ changes: [String: String?] = [:], counter: Int = 1, previous: String? = nil) async throws -> String
    {
        let repository = try repository
        let commit = try repository.resolve("HEAD")
        var lines = [
            ("git-ml-stage", "1"), ("repo", "here"), ("model", "m"), ("stage", "prod"), ("counter", "\(counter)"),
            ("commit", commit.hex),
            ("model-digest", try repository.modelDigest("models/m.bin", at: commit)?.description ?? ""),
        ]
        if let previous { lines.append(("previous", previous)) }
        for (key, value) in changes {
            lines.removeAll { $0.0 == key }
            if let value { lines.append((key, value)) }
        }
        return "Stage m in prod\n\n" + lines.map { "\($0.0): \($0.1)" }.joined(separator: "\n")
    }

    func id(_ revision: String) async throws -> String { try await sh("git rev-parse '\(revision)'") }
}
