import Base
import SystemPackage
import TestSupport
import Testing

struct CommitTests {
    @Test func `eight clones that push at once lose no run`() async throws {
        let project = try await Project.withRemote()
        try await project.sh("git add . && git commit -qm first && git push -q origin main")
        let report = try await project.sh(
            """
            for i in $(seq 8); do git clone -q remote.git c$i && (cd c$i && git ml init >/dev/null); done
            for i in $(seq 8); do
              (cd c$i && git checkout -q -b b$i && echo "{\\"auc\\": 0.$i}" > metrics.json && git add . &&
               git commit -qm $i && git push -q origin b$i) > log$i 2>&1 &
            done
            wait
            git clone -q remote.git last && cd last && git ml init >/dev/null && git ml runs --all --json | wc -l
            """, in: "")
        #expect(report.trimmingTrailingSpace == "8")
    }

    @Test func `filter and hooks leave a plain commit's tree as git would make it`() async throws {
        let project = try Project()
        try await project.sandbox.repository("plain")
        try await project.sandbox.repository("work")
        _ = try await project.ml("init")
        for folder in ["plain", "work"] {
            try await project.sh("rm -f ml.yaml; printf 'a\\r\\nb' > text; git add .; git commit -qm x", in: folder)
        }
        let a = try await project.sh("git rev-parse HEAD", in: "plain")
        let b = try await project.sh("git rev-parse HEAD", in: "work")
        #expect(a == b)
    }

    @Test func `metrics of one model's own are kept apart, and judged as its own`() async throws {
        let project = try await Project.withRemote()
        try project.write(
            "work/ml.yaml",
            """
            version: 1
            models:
              a: {path: a.bin, record: {metrics: [a/metrics.json]}}
              b: {path: b.bin, record: {metrics: [b/metrics.json]}}
            stages:
              prod: {gate: ["metrics.auc > 0.5"]}
            """)
        try project.write("work/a/metrics.json", #"{"auc":0.9}"#)
        try project.write("work/b/metrics.json", #"{"auc":0.1}"#)
        try await project.sh("echo a > a.bin; echo b > b.bin; git add . && git commit -qm models")
        let run = try JSON.parse(try await project.ml("runs", "--json").output)
        #expect(run["metrics"] == ["a/auc": 0.9, "b/auc": 0.1])
        #expect(try await project.ml("gate", "a", "prod").status == 0)
        #expect(try await project.ml("gate", "b", "prod").status == 1)
        // What a run of ours writes counts the same, and its commit is linked to it.
        try await project.sh(
            """
            git ml run --name second -- sh -c 'printf "{\\"auc\\":0.7}" > b/metrics.json; echo c > b.bin'
            git add . && git commit -qm second
            """)
        #expect(try await project.ml("gate", "b", "prod").status == 0)
        let second = try JSON.parse(try await project.ml("show", "second", "--json").output)
        #expect(second["links"]?.array?.count == 1)
    }
}
