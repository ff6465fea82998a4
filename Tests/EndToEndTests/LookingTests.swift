import Base
import SystemPackage
import TestSupport
import Testing

/// What is shown of runs whose event lines are known to the byte.
struct LookingTests {
    private let project: Project

    /// Three runs on two commits: `gbm-3` and `gbm-4` with curves, and one with names that a browser would run.
    init() async throws {
        project = try Project()
        try await project.sandbox.repository()
        try await project.sh(
            "git ml init && rm ml.yaml && echo 'print(1)' > train.py && git add . && git commit -qm code")
        let head = try await project.sh("git rev-parse HEAD~1 HEAD").split(separator: "\n").map(String.init)
        try project.write("first", Self.first(head[0]).joined(separator: "\n") + "\n")
        try project.write("second", Self.second(head[1]).joined(separator: "\n") + "\n")
        try await project.sh(
            "git notes --ref ml/runs add -F ../first HEAD~1 && git notes --ref ml/runs add -F ../second HEAD")
    }

    private static let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    private static let other = "sha256:cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34"

    private static func line(_ run: Int, _ second: Int, _ rest: String) -> String {
        #"{"t":"2026-11-23T15:0\#(run):0\#(second).000000Z","run":"0193590a6b3d7c21a8f04d1e2b6c9f0\#(run)",\#(rest)}"#
    }

    private static func curve(_ values: [String]) -> String {
        let steps = values.indices.map { String($0) }.joined(separator: ",")
        let times = values.indices.map { String(1_795_446_240_000_000 + $0 * 60_000_000) }.joined(separator: ",")
        return #""ev":"series","inline":{"loss":{"steps":[\#(steps)],"values":[\#(values.joined(separator: ","))],"#
            + #""times":[\#(times)]}},"keys":["loss"]"#
    }

    private static func first(_ commit: String) -> [String] {
        [
            line(
                3, 0,
                #""ev":"start","name":"gbm-3","experiment":"churn","user":"ann","host":"lab1","cmd":["python","train.py","a b"],"#
                    + #""code":"\#(commit)","dirty":false,"left_out":["big.csv"],"parent":null,"source":"cli","#
                    + #""env":{"python":"3.12.4","lock":"\#(digest)","cpu":"fast","gpu":["A100","A100"]}"#),
            line(3, 1, #""ev":"params","params":{"lr":"0.1","depth":"4"}"#),
            line(
                3, 2,
                #""ev":"metrics","metrics":{"auc":{"last":0.86,"step":0,"min":0.86,"max":0.86,"first_step":0,"count":1},"#
                    + #""loss":{"last":0.25,"step":3,"min":0.25,"max":1,"first_step":0,"count":4}}"#),
            line(3, 3, curve(["1", "0.6", "0.35", "0.25"])),
            line(
                3, 4, #""ev":"inputs","items":[{"path":"data/train.csv","oid":"\#(digest)","size":123,"role":"data"}]"#),
            line(
                3, 5, #""ev":"outputs","items":[{"path":"models/m.bin","oid":"\#(digest)","size":2048,"role":"model"}]"#
            ),
            line(3, 6, #""ev":"end","status":"finished","seconds":75.4,"exit":0,"peak_memory":1200000000"#),
        ]
    }

    private static func second(_ commit: String) -> [String] {
        [
            line(
                4, 0,
                #""ev":"start","name":"gbm-4","user":"ann","cmd":["python","train.py"],"code":"\#(commit)","dirty":true,"#
                    + #""parent":"0193590a6b3d7c21a8f04d1e2b6c9f03","source":"cli","env":{"python":"3.13.1","cpu":"fast"}"#
            ),
            line(4, 1, #""ev":"params","params":{"lr":"0.2","depth":"4"}"#),
            line(
                4, 2,
                #""ev":"metrics","metrics":{"auc":{"last":0.91,"count":1},"#
                    + #""loss":{"last":0.5,"step":3,"min":0.5,"max":1,"first_step":0,"count":4}}"#),
            line(4, 3, curve(["1", "0.8", "0.6", "0.5"])),
            line(
                4, 4, #""ev":"inputs","items":[{"path":"data/train.csv","oid":"\#(digest)","size":123,"role":"data"}]"#),
            line(
                4, 5, #""ev":"outputs","items":[{"path":"models/m.bin","oid":"\#(other)","size":2048,"role":"model"}]"#),
            line(4, 6, #""ev":"end","status":"failed","seconds":3,"exit":2"#),
            line(
                5, 0,
                #""ev":"start","name":"<script>alert(1)</script>","cmd":[],"code":"\#(commit)","source":"mlflow","env":{}"#
            ),
            line(
                5, 1,
                #""ev":"metrics","metrics":{"<img src=x>":{"last":0.5,"count":1},"#
                    + #""auc":{"last":0.7,"count":1},"loss":{"last":0.4,"step":3,"min":0.4,"max":1,"first_step":0,"count":4}}"#
            ),
            line(5, 2, curve(["1", "0.7", #""NaN""#, "0.4"])),
            line(5, 3, #""ev":"end","status":"finished","seconds":1,"exit":0"#),
        ]
    }

    // MARK: show

    @Test func `show prints everything of a run, and lists the runs inside it`() async throws {
        let seen = try await project.ml("show", "gbm-3")
        let commit = try await commit("HEAD~1")
        #expect(seen.status == 0)
        #expect(
            seen.output == """
                run      gbm-3  0193590a6b3d7c21a8f04d1e2b6c9f03
                status   finished, recorded by cli
                when     2026-11-23 15:03 UTC, took 75.4 s
                who      ann on lab1
                command  python train.py 'a b'
                code     \(commit) first
                left out big.csv
                child    gbm-4 failed
                memory   1.20 GB at most
                python   3.12.4
                lock     ba7816bf8f01
                cpu      fast
                gpu      A100, A100

                PARAMETER  VALUE
                depth          4
                lr           0.1

                METRIC    LAST     MIN     MAX  STEP  POINTS
                auc     0.8600  0.8600  0.8600     0       1
                loss    0.2500  0.2500       1     3       4

                INPUT           DIGEST        SIZE
                data/train.csv  ba7816bf8f01  123 B

                OUTPUT        DIGEST        SIZE     ROLE
                models/m.bin  ba7816bf8f01  2.05 kB  model

                """)
    }

    @Test func `show of a commit prints each of its runs, a line of JSON each where asked`() async throws {
        let seen = try await project.ml("show", "HEAD", "--json")
        let runs = try seen.output.split(separator: "\n").map { try JSON.parse(String($0)) }
        #expect(runs.map { $0["name"]?.string } == ["gbm-4", "<script>alert(1)</script>"])
        #expect(runs.first?["parent"]?.string == "0193590a6b3d7c21a8f04d1e2b6c9f03")
        #expect(runs.first?["exit"]?.int == 2)
        #expect(runs.first?["summaries"]?["loss"]?["count"]?.int == 4)
        let text = try await project.ml("show", "HEAD")
        #expect(text.output.contains("part of  gbm-3 (0193590a6b3d)\n"))
        #expect(text.output.contains("status   failed, exit status 2, recorded by cli\n"))
        #expect(text.output.contains("(with changes that were not committed)\n"))
    }

    @Test func `show --log prints what the run printed, byte for byte`() async throws {
        _ = try await project.ml("run", "--name", "talker", "--", "printf", #"a\033[31mb\n\000c"#)
        let seen = try await project.ml("show", "talker", "--log")
        #expect(seen == Seen(status: 0, output: "a\u{1b}[31mb\n\0c", errors: ""))
        let none = try await project.ml("show", "gbm-3", "--log")
        #expect(
            none
                == Seen(
                    status: 3, output: "",
                    errors: """
                        error: the run gbm-3 has no log
                        hint: `git ml run -- COMMAND` keeps what a command prints

                        """))
    }

    // MARK: diff and compare

    @Test func `diff prints what differs, and how the code does`() async throws {
        let seen = try await project.ml("diff", "gbm-3", "gbm-4", "--code")
        let (a, b) = (try await commit("HEAD~1").prefix(10), try await commit("HEAD").prefix(10))
        #expect(
            seen
                == Seen(
                    status: 0,
                    output: """
                                                   gbm-3                 gbm-4
                        code         commit        \(a)            \(b)+
                        param        lr            0.1                   0.2
                        metric       auc           0.8600                0.9100                +0.0500 better
                        metric       loss          0.2500                0.5000                +0.2500 worse
                        model        models/m.bin  ba7816bf8f01 2.05 kB  cb8379ac2098 2.05 kB
                        environment  gpu           A100, A100
                        environment  lock          ba7816bf8f01
                        environment  python        3.12.4                3.13.1
                         train.py | 1 +
                         1 file changed, 1 insertion(+)

                        """, errors: ""))
        let same = try await project.ml("diff", "gbm-3", "0193590a6b3d7c21a8f04d1e2b6c9f03")
        #expect(same == Seen(status: 0, output: "The two runs do not differ.\n", errors: ""))
        let json = try await project.ml("diff", "gbm-3", "gbm-4", "--json", "--code").output.split(separator: "\n")
        #expect(json.contains(#"{"kind":"metric","key":"auc","old":0.86,"new":0.91}"#))
        #expect(json.last == #"{"kind":"file","key":"train.py","added":1,"deleted":0}"#)
    }

    @Test func `compare marks the best and shows equal rows only when asked`() async throws {
        let words = ["gbm-3", "gbm-4", "0193590a6b3d7c21a8f04d1e2b6c9f05"]
        let rows = try await project.ml("compare", words[0], words[1], words[2]).output.split(separator: "\n")
        #expect(
            rows.prefix(6).suffix(4).map { $0.split(separator: " ").joined(separator: " ") } == [
                "param depth 4 4",
                "param lr 0.1 0.2",
                "metric <img src=x> 0.5000",
                "metric auc 0.8600 0.9100* 0.7000",
            ])
        let pair = try await project.ml("compare", "gbm-3", "gbm-4", "--json").output
        #expect(!pair.contains(#""key":"depth""#))
        #expect(
            pair.contains(
                #"{"kind":"metric","key":"loss","runs":["0193590a6b3d7c21a8f04d1e2b6c9f03","0193590a6b3d7c21a8f04d1e2b6c9f04"],"#
                    + #""values":[0.25,0.5],"best":["0193590a6b3d7c21a8f04d1e2b6c9f03"]}"#))
        let all = try await project.ml("compare", "gbm-3", "gbm-4", "--json", "--all").output
        #expect(all.contains(#""key":"depth""#))
        let one = try await project.ml("compare", "gbm-3")
        #expect(one.status == 64)
    }

    private func commit(_ name: String) async throws -> String {
        try await project.sh("git rev-parse \(name)").trimmingTrailingSpace
    }

    // MARK: plot

    @Test func `plot draws curves in plain characters where there is nothing better`() async throws {
        let seen = try await project.ml(
            "plot", "loss", "gbm-3", "gbm-4", environment: ["LC_ALL": "C", "COLUMNS": nil])
        #expect(seen.errors == "")
        #expect(
            seen.output == """
                loss
                    |
                1.0 ++++++
                    |  ***++++++++
                    |      ***    ++++++++
                0.8 +         ****        +++++++
                    |             ****           ++++++
                    |                 ***              ++++++
                    |                    ****                ++++++
                0.6 +                        ****                  ++++++++++
                    |                            *****                       ++++++++++++
                    |                                 ****                               +++++++
                    |                                     *****
                0.4 +                                          *****
                    |                                               ***************
                    |                                                              *************
                    |
                    ++------------------------+-----------------------+------------------------+
                     0                        1                       2                        3
                                                        step
                     * gbm-3
                     + gbm-4

                """)
        let dumb = try await project.ml("plot", "loss", "gbm-3", "gbm-4", environment: ["TERM": "dumb"])
        #expect(dumb == seen)
    }

    @Test func `plot draws one curve in braille, over the time where asked`() async throws {
        let seen = try await project.ml("plot", "loss", "gbm-3", "--x", "time", "--log-y")
        #expect(
            seen.output == """
                loss
                  1 ┤⠉⠒⠤⢄⡀
                    │    ⠈⠉⠒⠤⢄⡀
                    │         ⠈⠉⠒⠤⢄⡀
                    │              ⠈⠉⠒⠤⢄⡀
                    │                   ⠈⠉⠒⠤⢄⡀
                    │                        ⠈⠉⠒⠤⣀⡀
                0.5 ┤                             ⠈⠑⠢⠤⣀
                    │                                  ⠉⠒⠢⢄⡀
                    │                                      ⠈⠉⠒⠤⣀⡀
                    │                                           ⠈⠑⠢⠤⣀
                    │                                                ⠉⠒⠢⠤⢄⣀⡀
                    │                                                      ⠈⠉⠑⠒⠢⠤⢄⣀
                    │                                                              ⠉⠉⠒⠒⠤⠤⣀⣀
                    │                                                                      ⠉⠉⠒⠒⠤
                    │
                0.2 ┤
                    └┬────────────────────────┬───────────────────────┬────────────────────────┬
                     1                        2                       3                        4
                                                      minutes
                     ⠒ gbm-3

                """)
    }

    @Test func `a metric without a curve is plotted run by run`() async throws {
        let seen = try await project.ml("plot", "auc")
        #expect(
            seen.output == """
                auc
                     │
                0.90 ┤                                     *
                     │
                     │
                     │            *
                0.85 ┤
                     │
                     │
                0.80 ┤
                     │
                     │
                0.75 ┤
                     │
                     │
                0.70 ┤                                                             *
                     │
                     └────────────┬────────────────────────┬───────────────────────┬────────────
                                gbm-3                    gbm-4         <script>alert(1)</script

                """)
    }

    @Test func `names that a browser would run are text in the SVG and in the page`() async throws {
        try await project.sh("git ml plot loss --svg ../loss.svg --html ../loss.html > /dev/null")
        try await project.sh(
            "git ml plot '<img src=x>' 0193590a6b3d7c21a8f04d1e2b6c9f05 --html ../img.html > /dev/null")
        try project.write("check.py", Self.checker)
        let found = try await project.sh("python3 check.py loss.svg loss.html img.html", in: "")
        #expect(
            found == """
                loss.svg: circle line path rect svg text title
                loss.html: body circle code head html line meta path rect style svg table tbody td text th thead title tr
                img.html: body circle code head html line meta rect style svg table tbody td text th thead title tr
                <script>alert(1)</script>: 13
                <img src=x>: 3

                """)
        let page = try #require(try project.text("loss.html"))
        #expect(
            page.contains(
                #"content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'""#))
    }

    /// Reads the files as a browser does and tells what elements they hold, and how often the bad names are text.
    private static let checker = """
        import sys
        from collections import Counter
        from html.parser import HTMLParser
        import xml.etree.ElementTree
        texts = Counter()
        class Reader(HTMLParser):
            def __init__(self):
                super().__init__()
                self.elements = set()
            def handle_starttag(self, tag, attributes):
                self.elements.add(tag)
                assert not any(name.startswith("on") for name, _ in attributes)
            def handle_data(self, data):
                for name in ["<script>alert(1)</script>", "<img src=x>"]:
                    texts[name] += data.count(name)
        for name in sys.argv[1:]:
            text = open(name).read()
            if name.endswith(".svg"):
                xml.etree.ElementTree.fromstring(text)
            reader = Reader()
            reader.feed(text)
            print(f"{name}:", *sorted(reader.elements))
        for name, count in texts.items():
            print(f"{name}: {count}")

        """

    @Test func `plot names the metrics that a run has when it lacks one`() async throws {
        let seen = try await project.ml("plot", "f1", "gbm-3")
        #expect(
            seen
                == Seen(
                    status: 3, output: "",
                    errors: """
                        error: the run gbm-3 has no metric “f1”
                        hint: it has auc, loss

                        """))
    }

    // MARK: the life of a run

    @Test func `a run is renamed, tagged, noted on, deleted and restored, and a clone sees it`() async throws {
        try await project.sh("git init -q --bare ../remote.git && git remote add origin ../remote.git")
        #expect(try await project.ml("rename", "gbm-3", "best").output == "renamed gbm-3 to best (0193590a6b3d)\n")
        #expect(try await project.ml("rename", "best", "a\nb").status == 1)
        let tags = try await project.ml("tag", "--run", "best", "owner=ann", "api_key=abc", "draft=")
        #expect(tags == Seen(status: 0, output: "tagged best (0193590a6b3d)\n", errors: ""))
        #expect(try await project.ml("tag", "--run", "best", "--unset", "draft").status == 0)
        #expect(try await project.ml("tag", "--run", "best", "nonsense").status == 64)
        #expect(try await project.ml("note", "best").status == 3)
        #expect(
            try await project.ml("note", "best", "-m", "overfits\nafter 40").output == "noted on best (0193590a6b3d)\n")
        #expect(try await project.ml("note", "best").output == "overfits\nafter 40\n")
        #expect(try await project.ml("delete", "gbm-4").output == "deleted gbm-4 (0193590a6b3d)\n")
        #expect(try await project.ml("show", "gbm-4").status == 3)
        try await project.sh("git push -q -u origin main && git ml clone ../remote.git ../clone")
        let run = try JSON.parse(try await project.ml("show", "best", "--json", in: "clone").output)
        #expect(run["tags"] == ["api_key": "***", "mlflow.note.content": "overfits\nafter 40", "owner": "ann"])
        #expect(try await project.ml("show", "gbm-4", in: "clone").status == 3)
        let restored = try await project.ml("restore", "gbm-4", in: "clone")
        #expect(restored.output == "restored gbm-4 (0193590a6b3d)\n")
        #expect(try await project.ml("show", "gbm-4", in: "clone").status == 0)
    }

    @Test func `a tag inside a script goes to its run, and a clock that went back does not undo what is said last`()
        async throws
    {
        try await project.sh("git ml run --name inside -- git ml tag owner=bob")
        let run = try JSON.parse(try await project.ml("show", "inside", "--json").output)
        #expect(run["tags"] == ["owner": "bob"])
        // The event is in the year 2200: what is said today must still count.
        let future =
            #"{"t":"2200-01-01T00:00:00.000000Z","run":"0193590a6b3d7c21a8f04d1e2b6c9f03","ev":"tags","set":{"owner":"eve"},"unset":[]}"#
        try project.write("future", future + "\n")
        try await project.sh("git notes --ref ml/runs append -F ../future HEAD~1")
        #expect(try await project.ml("tag", "--run", "gbm-3", "owner=ann").status == 0)
        let said = try JSON.parse(try await project.ml("show", "gbm-3", "--json").output)
        #expect(said["tags"] == ["owner": "ann"])
    }
}
