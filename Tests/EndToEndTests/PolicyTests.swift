import Base
import SystemPackage
import TestSupport
import Testing

/// Policy as the runner and the client see it.
struct PolicyTests {
    /// A remote without any hook of ours, so that the runner alone decides, and a clone with a model and keys.
    private func project(stage: String) async throws -> Project {
        let project = try Project()
        try await project.sh(
            """
            git init -q --bare remote.git; git init -q work
            for who in lead stranger; do ssh-keygen -q -t ed25519 -N '' -f $who; done
            cd work; git remote add origin ../remote.git; git ml init
            git config gpg.format ssh; git config user.signingKey "$PWD/../lead"
            mkdir .ml; printf 'lead@example.com %s\\n' "$(cut -d' ' -f1,2 ../lead.pub)" > .ml/allowed_signers
            """, in: "")
        try project.writeModel(stage: stage)
        try await project.sh(
            "sed -i 's/^version: 1/version: 1\\nrepo: here/' ml.yaml; git add -A; git commit -qm model; git push -q -u origin main"
        )
        return project
    }

    private func pass(_ project: Project) async throws -> Seen {
        try await project.ml("runner", "--once", "--repo", "../remote.git")
    }

    private func deliveries(_ project: Project) async throws -> [JSON] {
        try await project.ml("deliveries", "--json").output.split(separator: "\n").map { try JSON.parse(String($0)) }
    }

    private func push(_ project: Project, _ words: String...) async throws -> Seen {
        let result = try await project.sandbox.run("git", ["push", "origin"] + words, in: "work")
        return Seen(status: result.status, output: result.text, errors: result.errors)
    }

    /// The command writes that it ran.
    private let deploy = #"deploy: {to: command, run: [/bin/sh, -c, "echo $GIT_ML_COMMIT >> deployed"]}"#

    // Cases D-01, D-02, D-05, D-43: the hooks were passed by.
    @Test func `the runner refuses and records what is unsigned, light, by a stranger or for another repository`()
        async throws
    {
        let project = try await project(stage: "{signers: .ml/allowed_signers, \(deploy)}")
        func refuse(_ make: String, _ code: String) async throws {
            try await project.sh("\(make); git push -q --no-verify --tags")
            let seen = try await pass(project)
            let record = try #require(try await deliveries(project).first)
            #expect(record["status"]?.string == "refused", "\(seen)")
            #expect(record["refusal"]?.string == code, "\(record)")
            #expect(record["steps"]?.array?.map { $0["step"]?.string } == ["claim", "verify"])
            #expect(record["digest"] == .null && record["image"] == .null)
        }
        try await refuse("git tag -a -m x 'm#prod#1'", "unsigned")
        try await refuse("git tag 'm#prod#2'", "light-tag")
        try await refuse("git -c user.signingKey=\"$PWD/../stranger\" tag -s -m x 'm#prod#3'", "unknown-key")
        try await refuse(
            "printf 'x\\n\\ngit-ml-stage: 1\\nrepo: elsewhere\\n' | git tag -s -F - 'm#prod#4'", "statement-repo")
        #expect(try project.text("remote.git/ml/runner/deployed") == nil)
        let count = try await deliveries(project).count
        let again = try await pass(project)
        let same = try await deliveries(project).count
        #expect(same == count, "\(again)")
        try await project.sh("git tag -s -m good 'm#prod#6'; git push -q --no-verify --tags")
        let good = try await pass(project)
        let record = try await deliveries(project).first
        #expect(record?["status"]?.string == "succeeded", "\(good)")
        // Case D-43: a signed one that comes late, and that the one before it was taken away for.
        try await project.sh("git tag -s -m late 'm#prod#5'; git push -q --no-verify --tags")
        _ = try await pass(project)
        try await project.sh("git push -q --no-verify --delete origin 'm#prod#6'")
        let late = try await pass(project)
        let refused = try await deliveries(project).first
        #expect(refused?["counter"]?.int == 5 && refused?["refusal"]?.string == "counter", "\(late)")
        let deployed = try project.text("remote.git/ml/runner/deployed")?.split(separator: "\n").count
        #expect(deployed == 1)
    }

    @Test func `tags that policy refuses hide neither an assignment below them nor end it`() async throws {
        let project = try await project(stage: "{signers: .ml/allowed_signers, \(deploy)}")
        try await project.sh(
            """
            git tag -s -m good 'm#prod#1'; git tag -a -m x 'm#prod!#2'; git tag -a -m x 'm#prod#900'
            git tag 'm#prod#901'; git push -q --no-verify --tags
            """)
        let seen = try await pass(project)
        let records = try await deliveries(project)
        func status(_ counter: Int64) -> [String] {
            records.filter { $0["counter"]?.int == counter }.compactMap { $0["status"]?.string }
        }
        #expect(status(1) == ["succeeded"], "\(seen)")
        for counter in [2, 900, 901] as [Int64] { #expect(status(counter) == ["refused"], "\(counter): \(seen)") }
        _ = try await pass(project)
        let again = try await deliveries(project)
        #expect(again.count == records.count)
        let deployed = try project.text("remote.git/ml/runner/deployed")?.split(separator: "\n").count
        #expect(deployed == 1)
    }

    // Cases D-14, D-16.
    @Test func `the tagged commit's own ml yaml neither lets it in nor runs its command`() async throws {
        let project = try await project(stage: "{require_reachable: false, \(deploy)}")
        try await project.sh(
            """
            git checkout -q -b mine
            sed -i 's/echo .GIT_ML_COMMIT >> deployed/touch owned/' ml.yaml; git commit -qam mine
            git tag -a -m mine 'm#prod#1'; git push -q --no-verify origin 'm#prod#1'; git checkout -q main
            """)
        let seen = try await pass(project)
        #expect(seen.output.contains("at the tagged commit"), "\(seen)")
        let record = try await deliveries(project).first
        #expect(record?["status"]?.string == "succeeded", "\(seen)")
        #expect(try project.text("remote.git/ml/runner/deployed") != nil)
        let owned = try await project.sh("find . -name owned", in: "")
        #expect(owned == "")
    }

    // Case D-19.
    @Test func `packaging runs none of the repository's code, and does not open the model`() async throws {
        let project = try await project(stage: "{\(deploy)}")
        try await project.sh(
            """
            python3 - <<'END'
            import pickle
            class Bad:
                def __reduce__(self): return __import__("os").system, ("touch " + __import__("os").getcwd() + "/../ran",)
            pickle.dump(Bad(), open("models/m.bin", "wb"))
            END
            for f in conftest.py setup.py sitecustomize.py pip.py sysconfig.py; do
              echo 'open("'"$PWD"'/../ran", "w")' > $f; done
            printf 'all:\n\ttouch %s/../ran\n' "$PWD" > Makefile
            printf '*.py filter=bad\n' > .gitattributes
            git config --file ../remote.git/config filter.bad.smudge 'touch ran'
            sed -i 's|models/m.bin}|models/m.bin, package: {files: [conftest.py, setup.py, Makefile]}}|' ml.yaml
            git add -A; git commit -qm code; git tag -a -m x m@v1.0.0+cuda; git tag -a -m x 'm#prod#1'
            git push -q --no-verify origin main --tags
            """)
        let seen = try await pass(project)
        let record = try await deliveries(project).first
        #expect(record?["status"]?.string == "succeeded", "\(seen)")
        let ran = try await project.sh("find . -name ran", in: "")
        #expect(ran == "")
        // Case D-11: a registry's tag cannot hold a +; no version holds a _.
        #expect(record?["image"]?.string?.hasSuffix("-v1.0.0_cuda") == true, "\(seen)")
    }

    @Test func `a policy that was rolled back is refused until somebody accepts it, and its tags wait`() async throws {
        let project = try await project(stage: "{approvals: 1, \(deploy)}")
        try await project.sh("git tag -a -m x 'm#prod#1'; git push -q --no-verify origin 'm#prod#1'")
        _ = try await pass(project)
        let waiting = try await deliveries(project)
        #expect(waiting.map { $0["refusal"]?.string } == ["approvals"])
        // An older policy asked for less.
        try await project.sh(
            """
            git checkout -q --orphan old; git commit -qm old
            sed -i 's/approvals: 1, //' ml.yaml; git commit -qam lax; git push -q --no-verify -f origin old:main
            git tag -a -m y 'm#prod#2'; git push -q --no-verify origin 'm#prod#2'
            """)
        let seen = try await pass(project)
        #expect(seen.output.contains("accept-policy"), "\(seen)")
        let refused = try await deliveries(project)
        #expect(refused.first?["refusal"]?.string == "policy-rewound")
        // Without its state the runner finds the newest policy in the events.
        try await project.sh("rm remote.git/ml/runner/policy", in: "")
        _ = try await pass(project)
        #expect(try project.text("remote.git/ml/runner/deployed") == nil)
        let accepted = try await project.ml("runner", "accept-policy", "main", "--repo", "../remote.git")
        #expect(accepted.status == 0, "\(accepted)")
        let after = try await pass(project)
        let record = try await deliveries(project).first
        #expect(record?["status"]?.string == "succeeded", "\(after)")
        #expect(record?["counter"]?.int == 2)
    }

    // Case D-17.
    @Test func `a runner in a shallow clone brings the history before it judges`() async throws {
        let project = try await project(stage: "{\(deploy)}")
        try await project.sh(
            """
            git tag -a -m x 'm#prod#1'; for i in 1 2 3; do git commit -q --allow-empty -m $i; done
            git push -q --no-verify origin main 'm#prod#1'
            git clone -q --bare --depth 1 "file://$PWD/../remote.git" ../shallow.git
            cd ../shallow.git; git fetch -q --depth 1 origin tag 'm#prod#1'; test -s shallow
            """)
        let seen = try await project.ml("runner", "--once", "--repo", "../shallow.git")
        #expect(seen.output.contains("is served at command"), "\(seen)")
        #expect(try project.text("shallow.git/ml/runner/deployed") != nil)
    }

    @Test func `pre-push refuses early what the runner would, with both numbers of a gate, and --no-verify overrides`()
        async throws
    {
        let project = try await project(stage: "{signers: .ml/allowed_signers, gate: [\"metrics.auc >= 0.95\"]}")
        try await project.sh(
            "git tag -a -m x 'm#prod#1'; git tag 'm@v1.0.0'; git tag -a -m x m@v1; git tag -s -m good 'm#prod#2'")
        let unsigned = try await push(project, "m#prod#1")
        #expect(unsigned.status != 0)
        #expect(unsigned.errors.contains("git-ml: refused refs/tags/m#prod#1: it is not signed"), "\(unsigned)")
        #expect(
            unsigned.errors.contains(
                "`git push --no-verify` pushes without this check, and sends neither data nor runs"))
        let light = try await push(project, "m@v1.0.0")
        #expect(light.errors.contains("it is a light tag"), "\(light)")
        let almost = try await push(project, "m@v1")
        #expect(almost.status != 0 && almost.errors.contains("“v1” is no version"), "\(almost)")
        let gate = try await push(project, "m#prod#2")
        #expect(gate.status != 0)
        #expect(gate.errors.contains("metrics.auc >= 0.95"), "\(gate)")
        #expect(gate.errors.contains("0.9 against 0.95"), "\(gate)")
        try await project.sh("git push -q --no-verify origin 'm#prod#2'")
        // Tags of other people's making.
        try await project.sh("git tag pkg@v1; git tag plain")
        let branch = try await push(project, "main", "plain", "pkg@v1")
        #expect(branch.status == 0, "\(branch)")
        #expect(branch.errors.contains("git-ml: passed over refs/tags/pkg@v1"), "\(branch)")
    }
}
