import Base
import Delivery
import Testing

@testable import GitKit
@testable import Runs

/// Which run read what another one made.
@Suite struct DataFlowTests {
    private func item(_ path: String, _ content: String, _ role: RunItem.Role = .data) -> RunItem {
        RunItem(path: path, digest: .of(Array(content.utf8)), size: 1, role: role)
    }

    private func run(_ id: String, _ second: Int64, reads: [RunItem], makes: [RunItem], source: String = "cli") -> Run {
        var run = Run(id: id, commit: .emptyTree, started: Timestamp(seconds: second))
        (run.inputs, run.outputs, run.source) = (reads, makes, source)
        return run
    }

    /// raw → prep → train → model, and once more with other raw data.
    private var flow: DataFlow {
        DataFlow([
            run("train", 3, reads: [item("data/train.csv", "t1")], makes: [item("m.bin", "m1", .model)]),
            run("prep", 1, reads: [item("raw/a.csv", "r1")], makes: [item("data/train.csv", "t1")]),
            run("prep-again", 2, reads: [item("raw/a.csv", "r2")], makes: [item("data/train.csv", "t2")]),
            run("train-again", 4, reads: [item("data/train.csv", "t2")], makes: [item("m.bin", "m2", .model)]),
            run("late", 9, reads: [item("x", "x")], makes: [item("data/train.csv", "t1")]),
        ])
    }

    @Test func `what a run read is followed back to what made it, the sources first`() {
        #expect(flow.upstream(of: "train") == ["prep", "train"])
        #expect(flow.upstream(of: "train-again") == ["prep-again", "train-again"])
        #expect(flow.upstream(of: "unknown") == ["unknown"])
    }

    @Test func `data is followed on by what it was, not by where it lay`() {
        let flow = flow
        #expect(flow.readers(of: "raw") == ["prep", "prep-again"])
        #expect(flow.readers(of: "ra") == [])
        #expect(flow.readers(of: "", .of(Array("r2".utf8))) == ["prep-again"])
        #expect(flow.downstream(of: ["prep"]) == ["prep", "train"])
        #expect(flow.downstream(of: ["prep-again"]) == ["prep-again", "train-again"])
    }

    @Test func `a circle ends, and a commit is no maker of what was there before`() {
        let flow = DataFlow([
            run("a", 1, reads: [item("x", "2")], makes: [item("y", "1")]),
            run("b", 2, reads: [item("y", "1")], makes: [item("x", "2")]),
            run("c", 3, reads: [item("z", "3")], makes: [item("y", "1")], source: "commit"),
            run("d", 4, reads: [item("y", "1")], makes: []),
        ])
        #expect(flow.downstream(of: ["a"]) == ["a", "b", "d"])
        #expect(flow.downstream(of: ["c"]) == ["c"])
        #expect(flow.upstream(of: "d") == ["a", "d"])
    }
}
