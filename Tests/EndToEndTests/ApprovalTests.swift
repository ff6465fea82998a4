import Base
import TestSupport
import Testing

struct ApprovalTests {
    private func project(stage: String) async throws -> Project {
        let project = try await Project.withRemote()
        try project.writeModel(stage: stage)
        try await project.sh(
            """
            git add -A; git -c user.name=wren -c user.email=wren@example.com commit -qm model
            git tag -a -m version m@v1.0.0; git push -q -u origin main m@v1.0.0
            """)
        return project
    }

    @Test func `a stage tag waits at the server for approvals, and they are shown where deliveries are`() async throws {
        let project = try await project(stage: "{approvals: 1}")
        try await project.sh("git -c user.name=tess -c user.email=tess@example.com tag -a -m x 'm#prod#2'")
        let early = try await project.sandbox.run("git", ["push", "--no-verify", "origin", "m#prod#2"], in: "work")
        #expect(early.status != 0)
        #expect(
            early.errors.contains("remote: git-ml: refused refs/tags/m#prod#2: it has 0 of 1 approvals"), "\(early)")
        let none = try await project.ml("approve", "--list")
        #expect(none.output == "No approvals yet: `git ml approve MODEL COMMIT STAGE` writes one.\n")
        let own = try await project.ml(
            "approve", "m", "v1.0.0", "prod", environment: ["GIT_COMMITTER_EMAIL": "wren@example.com"])
        #expect(own.output.contains("it will not count: you wrote the commit"), "\(own)")
        let approved = try await project.ml("approve", "m", "v1.0.0", "prod", "-m", "looked at it")
        let commit = try await project.sh("git rev-parse --short=10 HEAD").trimmingTrailingSpace
        #expect(
            approved
                == Seen(
                    status: 0,
                    output: """
                        approved m \(commit) for prod as ann@example.com
                        the next `git push` sends it, or `git ml sync` at once

                        """, errors: ""))
        let pushed = try await project.sandbox.run("git", ["push", "origin", "m#prod#2"], in: "work")
        #expect(pushed.status == 0, "\(pushed.errors)")
        let wait = try await project.ml("runner", "--once", "--wait", "--repo", "../remote.git")
        #expect(wait.status == 0, "\(wait)")
        let shown = try await project.ml("deliveries")
        for word in ["succeeded", "m#prod", "ann@example.com", "looked at it"] { #expect(shown.output.contains(word)) }
        let listed = try await project.ml("approve", "--list", "m", "--json")
        let first = try JSON.parse(try #require(listed.output.split(separator: "\n").first.map(String.init)))
        #expect(first["by"]?.string == "ann@example.com" && first["message"]?.string == "looked at it")
        await project.stopServers()
    }

    @Test func `approve signs where policy asks for it, and its errors name what there is`() async throws {
        let project = try await project(stage: "{approvals: 1, signers: .ml/allowed_signers}")
        let unsigned = try await project.ml("approve", "m", "HEAD", "prod")
        #expect(unsigned.status == 1)
        #expect(
            unsigned.errors.contains("it could not be signed") && unsigned.errors.contains("hint: set git's signing up")
        )
        try await project.sh(
            """
            ssh-keygen -q -t ed25519 -N '' -f ../ann; git config gpg.format ssh; git config user.signingKey ../ann.pub
            """)
        let signed = try await project.ml("approve", "m", "HEAD", "prod")
        #expect(signed.output.contains("as ann@example.com, signed"), "\(signed)")
        let line = try await project.sh("git notes --ref ml/deliveries show HEAD")
        #expect(line.contains(#""ev":"approve","model":"m","stage":"prod""#) && line.contains("BEGIN SSH SIGNATURE"))
        let model = try await project.ml("approve", "n", "HEAD", "prod")
        #expect(model.status == 3 && model.errors.contains("names no model “n”"))
        let stage = try await project.ml("approve", "m", "HEAD", "prd")
        #expect(stage.status == 3 && stage.errors.contains("did you mean prod?"))
        let commit = try await project.ml("approve", "m", "v9.9.9", "prod")
        #expect(commit.status == 3)
        let usage = try await project.ml("approve", "m")
        #expect(usage.status == 64)
    }

    @Test func `the review counts approvals as the gate does, and says why one does not count`() async throws {
        let project = try await project(stage: "{approvals: 2, signers: .ml/allowed_signers}")
        try await project.sh(
            """
            for who in ann tess; do ssh-keygen -q -t ed25519 -N '' -f ../$who; done
            mkdir .ml
            for who in ann tess; do
              printf '%s@example.com %s\\n' $who "$(cut -d' ' -f1,2 ../$who.pub)" >> .ml/allowed_signers; done
            git add .ml; git commit -qm signers; git push -q --no-verify origin main
            git config gpg.format ssh; git config user.signingKey ../ann.pub
            git ml approve m v1.0.0 prod; git ml approve m v1.0.0 prod
            git config user.signingKey ../tess.pub; git -c user.email=tess@example.com ml approve m v1.0.0 prod
            """)
        let commit = try await project.sh("git rev-parse 'm@v1.0.0^{}'").trimmingTrailingSpace
        try project.write(
            "work/line",
            #"{"t":"2026-01-01T00:00:00.000000Z","ev":"approve","model":"m","stage":"prod","commit":"\#(commit)","#
                + #""by":"x@example.com","message":null}"# + "\n")
        try await project.sh("git notes --ref ml/deliveries append -F line \(commit); rm line")
        let seen = try await project.ml("review", "m", "prod", "v1.0.0", "--json")
        let review = try #require(try seen.objects.first, "\(seen)")
        let objections = review["approvals"]?.array?.map { $0["objection"]?.string ?? "" }
        #expect(review["approvals_counted"]?.int == 2, "\(seen)")
        #expect(
            objections?.sorted() == ["", "", "it is not signed", "the same person has approved already"], "\(seen)")
        // Revoked.
        try await project.sh(
            """
            cp ../tess.pub .ml/allowed_signers.revoked; git add .ml; git commit -qm revoked
            git push -q --no-verify origin main
            """)
        let less = try await project.ml("review", "m", "prod", "v1.0.0")
        #expect(less.output.contains("1 more approval needed"), "\(less)")
        #expect(less.output.contains("a key that has been revoked"), "\(less)")
        #expect(less.output.contains("2 asked for, 1 counted of 4 given"), "\(less)")
    }
}
