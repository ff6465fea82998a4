import Base
import SystemPackage
import TestSupport
import Testing

/// Hooks of others: husky's layout, and the pre-commit framework.
struct HookManagersTests {
    /// What husky 9 writes: a folder that `core.hooksPath` names, whose scripts find out by `$0` which hook they are.
    private static let husky = #"""
        mkdir -p .husky/_
        cat > .husky/_/h <<'END'
        #!/usr/bin/env sh
        [ "$HUSKY" = "2" ] && set -x
        n=$(basename "$0")
        s=$(dirname "$(dirname "$0")")/$n
        [ ! -f "$s" ] && exit 0
        sh -e "$s" "$@"
        c=$?
        [ $c != 0 ] && echo "husky - $n script failed (code $c)"
        exit $c
        END
        for hook in pre-commit post-commit post-rewrite pre-push; do
          printf '#!/usr/bin/env sh\n. "${0%%/*}/h"' > .husky/_/$hook; chmod +x .husky/_/$hook
          echo "echo $hook \"\$1\" >> ../husky.log" > .husky/$hook
        done
        echo '*' > .husky/_/.gitignore
        git config core.hooksPath .husky/_
        """#

    private func commit(_ project: Project, _ value: String) async throws {
        try await project.sh("printf '{\"auc\":\(value)}' > metrics.json; git add .; git commit -qm '\(value)'")
        let runs = try await project.ml("runs", "--all", "--json").output
        #expect(runs.contains("\"auc\":\(value)"), "\(runs)")
    }

    @Test func `husky's hooks and ours both run when husky was first`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try await project.sh(Self.husky)
        #expect(try await project.ml("init").status == 0)
        try await commit(project, "0.5")
        #expect(try project.text("husky.log") == "pre-commit \npost-commit \n")
        try await project.sh(
            "git init -q --bare ../remote.git; git remote add origin ../remote.git; git push -q origin main")
        #expect(try project.text("husky.log")?.hasSuffix("pre-push origin\n") == true)
        let runs = try await project.sh("git -C ../remote.git for-each-ref refs/notes/ml/runs")
        #expect(!runs.isEmpty)
        let doctor = try await project.ml("doctor")
        #expect(!doctor.output.contains("MEND hook"), "\(doctor)")
        // husky refuses: nothing is pushed.
        try await project.sh("echo 'exit 3' > .husky/pre-push; git commit -q --allow-empty -m more")
        let push = try await project.sandbox.run("git", ["push", "-q", "origin", "main"], in: "work")
        #expect(push.status != 0)
        #expect((push.errors + push.text).contains("husky - pre-push script failed (code 3)"), "\(push.errors)")
    }

    @Test func `husky that comes later is noticed, and init chains it`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        #expect(try await project.ml("init").status == 0)
        try await project.sh(Self.husky)
        let doctor = try await project.ml("doctor")
        #expect(doctor.status == 1)
        let folder = project.path.appending("work/.husky/_")
        #expect(
            doctor.output.contains(
                """
                MEND core.hooksPath is \(folder): git runs nothing of .git/hooks any more
                     → run `git ml init` again: it keeps the hooks that are there and runs them first
                """), "\(doctor)")
        #expect(try await project.ml("init").status == 0)
        try await commit(project, "0.6")
        #expect(try project.text("husky.log") == "pre-commit \npost-commit \n")
        let after = try await project.ml("doctor")
        #expect(!after.output.contains("core.hooksPath"), "\(after)")
        try await project.sh("git ml init --remove && git commit -q --allow-empty -m last")
        #expect(try project.text("husky.log") == "pre-commit \npost-commit \npre-commit \npost-commit \n")
    }

    @Test(arguments: [true, false])
    func `the pre-commit framework and our hooks both run`(isFirst: Bool) async throws {
        let project = try Project()
        try await project.sandbox.repository()
        // The hooks of its own that the framework runs need neither a network nor an environment.
        try project.write(
            "work/.pre-commit-config.yaml",
            """
            repos:
            - repo: local
              hooks:
              - {id: a, name: a, language: system, entry: sh -c 'echo pre-commit >> ../framework.log', always_run: true, pass_filenames: false, stages: [pre-commit]}
              - {id: b, name: b, language: system, entry: sh -c 'echo post-commit >> ../framework.log', always_run: true, pass_filenames: false, stages: [post-commit]}
              - {id: c, name: c, language: system, entry: sh -c 'echo pre-push >> ../framework.log', always_run: true, pass_filenames: false, stages: [pre-push]}

            """)
        let install = "pre-commit install -t pre-commit -t post-commit -t pre-push"
        try await project.sh(
            "printf '#!/bin/sh\\necho own >> ../own.log\\n' > .git/hooks/post-commit; chmod +x .git/hooks/*")
        try await project.sh(isFirst ? install : "git ml init")
        try await project.sh(isFirst ? "git ml init" : install)
        try await commit(project, "0.5")
        #expect(try project.text("framework.log") == "pre-commit\npost-commit\n")
        #expect(try project.text("own.log") == "own\n")
        try await project.sh(
            "git init -q --bare ../remote.git; git remote add origin ../remote.git; git push -q origin main")
        #expect(try project.text("framework.log") == "pre-commit\npost-commit\npre-push\n")
        let runs = try await project.sh("git -C ../remote.git for-each-ref refs/notes/ml/runs")
        #expect(!runs.isEmpty)
        let doctor = try await project.ml("doctor")
        #expect(!doctor.output.contains("MEND hook"), "\(doctor)")
        // Each set up again: nobody runs twice or not at all.
        try await project.sh("git ml init; \(install); git ml init")
        try await commit(project, "0.7")
        #expect(try project.text("framework.log") == "pre-commit\npost-commit\npre-push\npre-commit\npost-commit\n")
        #expect(try project.text("own.log") == "own\nown\n")
    }

    @Test func `a folder of hooks for all repositories is left alone, and its hooks run`() async throws {
        let project = try Project()
        try await project.sandbox.repository()
        try await project.sandbox.repository("other")
        try project.write("hooks/post-commit", "#!/bin/sh\n. \"$(dirname \"$0\")/lib.sh\"\n", mode: 0o755)
        try project.write("hooks/pre-commit", "#!/bin/sh\necho pre >> \"$HOME/ran\"\n", mode: 0o755)
        try project.write("hooks/lib.sh", "echo post >> \"$HOME/ran\"\n")
        try await project.sh(
            """
            mkdir ../home; cp "$HOME/.gitconfig" ../home 2>/dev/null || :; export HOME="$PWD/../home"
            git config --global core.hooksPath '\(project.path)/hooks'; ls -l ../hooks > ../before
            git ml init | grep -q 'is left alone'
            test "$(git ml init)" = "Everything was in place."
            ! git ml doctor | grep MEND
            """)
        try await project.sh(
            """
            export HOME="$PWD/../home"
            git add . && printf '{"auc":0.5}' > metrics.json && git add . && git commit -qm one
            test "$(cat "$HOME/ran")" = "pre
            post"
            git ml runs --json | grep -q 0.5
            cd ../other && printf '{"auc":0.6}' > metrics.json && git add . && git commit -qm one
            test "$(grep -c post "$HOME/ran")" = 2
            test ! -e .git/ml
            ls -l ../hooks | cmp - ../before
            cd ../work && git ml init --remove && git commit -q --allow-empty -m two && test "$(grep -c post "$HOME/ran")" = 3
            test "$(git config core.hooksPath)" = '\(project.path)/hooks' && test ! -e .git/ml/hooks
            """)
    }
}
