import Base
import TestSupport
import Testing

/// `git ml runs` and `git ml log` as people and scripts see them.
struct ReadingTests {
    private let project: Project

    /// Three commits on main, one on a branch, each with a run.
    init() async throws {
        project = try Project()
        try await project.sh("git init -q work && cd work && git ml init", in: "")
        for (i, values) in [("0.1", "gbm", 0.81), ("0.2", "rf", 0.9), ("0.2", "gbm", 0.85)].enumerated() {
            try await commit("c\(i)", values.0, values.1, values.2)
        }
        try await project.sh("git switch -qc side")
        try await commit("side", "=1+2", "svm", 0.7)
        try await project.sh("git switch -q main")
    }

    private func commit(_ message: String, _ rate: String, _ kind: String, _ auc: Double) async throws {
        try project.write("work/params.yaml", "lr: '\(rate)'\nkind: \(kind)\nseed: 7\n")
        try project.write("work/metrics.json", #"{"auc":\#(auc),"loss":\#(1 - auc)}"#)
        try await project.sh("git add . && git commit -qm '\(message)'")
    }

    private func short(_ revision: String) async throws -> String {
        String(try await project.sh("git rev-parse \(revision)").prefix(10))
    }

    @Test func `runs shows a table of the history, filtered, sorted and with chosen columns`() async throws {
        let seen = try await project.ml(
            "runs", "--filter", "metrics.auc > 0.8 and params.lr = 0.2", "--sort", "metrics.auc", "--columns",
            "commit,params.kind,metrics.auc")
        let (best, last) = (try await short("HEAD~1"), try await short("HEAD"))
        #expect(
            seen
                == Seen(
                    status: 0,
                    output: """
                        commit      params.kind  metrics.auc
                        \(last)  gbm               0.8500
                        \(best)  rf               0.9000*

                        """, errors: ""))
        let table = try await project.ml("runs").output
        #expect(table.hasPrefix("RUN"))
        #expect(table.split(separator: "\n").count == 4)
        #expect(!table.contains("seed") && !table.contains("STATUS") && !table.contains("svm"))
        let all = try await project.ml("runs", "--all", "--limit", "2").output
        #expect(all.split(separator: "\n").count == 3 && all.contains("svm"))
    }

    @Test func `runs prints JSON and CSV for scripts, formulas made harmless`() async throws {
        let json = try await project.ml("runs", "--all", "--filter", "params.kind = 'svm'", "--json").output
        let run = try JSON.parse(json)
        #expect(run["metrics"]?["auc"] == 0.7)
        #expect(run["status"] == "finished")
        let columns = try await project.ml("runs", "--columns", "params.kind,metrics.auc", "--json", "--limit", "1")
        #expect(columns.output == #"{"params.kind":"gbm","metrics.auc":0.85}"# + "\n")
        let csv = try await project.ml(
            "runs", "--all", "--csv", "--columns", "params.lr,params.kind,metrics.auc", "--sort", "metrics.auc")
        #expect(
            csv.output
                == "params.lr,params.kind,metrics.auc\r\n'=1+2,svm,0.7\r\n0.1,gbm,0.81\r\n0.2,gbm,0.85\r\n0.2,rf,0.9\r\n"
        )
    }

    @Test func `an error in a filter points at the column`() async throws {
        let seen = try await project.ml("runs", "--filter", "metrics.auc >> 0.8")
        #expect(
            seen
                == Seen(
                    status: 1, output: "",
                    errors: """
                        error: column 13: “>>” is no comparison: =, !=, <, <=, > and >= are
                        hint: metrics.auc >> 0.8
                        hint:             ^

                        """))
        let typo = try await project.ml("runs", "--sort", "metrix.auc")
        #expect(typo.status == 1 && typo.errors.contains("did you mean “metrics”?"))
        #expect(try await project.ml("runs", "--desc").status == 64)
    }

    @Test func `a repository without runs or commits, and a bare one, say what is there`() async throws {
        let none = try await project.ml("runs", "--filter", "metrics.auc > 2")
        #expect(none.output == "No run matches. `git ml runs --all` lists those of other branches.\n")
        try await project.sh("git init -q new && cd new && git ml init >/dev/null", in: "")
        for command in ["runs", "log"] {
            let seen = try await project.ml(command, in: "new")
            #expect(seen.status == 0 && seen.output.hasPrefix("No") || seen.output.contains("no commits"), "\(seen)")
            #expect(try await project.ml(command, "--json", in: "new").output == "")
        }
        try await project.sh(
            "git clone -q --bare work bare.git && git -C bare.git fetch -q origin 'refs/notes/*:refs/notes/*'", in: "")
        let bare = try await project.ml("runs", "--all", "--json", in: "bare.git")
        #expect(bare.output.split(separator: "\n").count == 4, "\(bare)")
        #expect(try await project.ml("log", in: "bare.git").output.split(separator: "\n").count == 4)
    }

    @Test func `log goes along the history, and knows revisions`() async throws {
        let commits = try await project.sh("git rev-parse HEAD HEAD~1 HEAD~2").split(separator: "\n").map {
            $0.prefix(10)
        }
        let lines = try await project.ml("log").output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("COMMIT      WHEN") == true)
        #expect(lines.dropFirst().map { $0.prefix(10) } == commits)
        #expect(lines[2].contains("0.9000*") && lines[2].contains("0.1000*"))
        let side = try await project.ml("log", "side", "--limit", "1").output
        #expect(side.contains("svm") && side.split(separator: "\n").count == 2)
        let unknown = try await project.ml("log", "nowhere")
        #expect(unknown.status == 3 && unknown.errors.contains("nowhere"))
    }

    @Test func `nested runs stand below their parent, and a run that goes on is running`() async throws {
        try await project.sh(
            """
            git ml run --name outer -- sh -c 'git ml run --name inner -- true; git ml runs > "$PWD/../seen"' 2>/dev/null
            """)
        let during = try #require(try project.text("seen"))
        #expect(during.contains("STATUS") && during.contains("running"), "\(during)")
        let table = try await project.ml("runs").output
        let rows = table.split(separator: "\n").map(String.init)
        let outer = try #require(rows.firstIndex { $0.contains("outer") })
        #expect(rows[outer + 1].hasPrefix("  ") && rows[outer + 1].contains("inner"), "\(table)")
        #expect(!table.contains("STATUS"))
    }
}
