internal import Base
internal import GitKit
internal import Runs

/// A review in the order in which people read it; terminal, HTML and Markdown show the same page.
public struct ReviewPage: Sendable {
    /// How a cell is meant.
    public enum Tone: Sendable { case plain, good, bad, quiet }

    public struct Cell: Sendable, Equatable {
        public let text: String
        public var tone = Tone.plain
        public var isNumber = false
        /// Whether the words are git-ml's own; all others come out of the repository, and nobody knows what is in them.
        public var isOwn = false

        static func own(_ text: String, _ tone: Tone = .plain) -> Cell { Cell(text: text, tone: tone, isOwn: true) }
        static func number(_ text: String, _ tone: Tone = .plain) -> Cell {
            Cell(text: text, tone: tone, isNumber: true, isOwn: true)
        }
        static func foreign(_ text: String?) -> Cell { Cell(text: text ?? "") }
    }

    public struct Section: Sendable {
        public let title: String
        public var columns: [String] = []
        public var rows: [[Cell]] = []
        /// What is said in place of rows, or below them.
        public var note: String?
    }

    /// Such as `churn → prod: v1.3.0`.
    public let title: String
    /// The answer in a few words.
    public let verdict: Cell
    public private(set) var sections: [Section] = []

    /// Lists longer than this are cut, and say so.
    private static let longest = 50

    public init(_ review: Review) {
        title = "\(review.model) → \(review.stage): \(review.candidate.label)"
        verdict = Self.verdict(review)
        sections = [
            Self.versions(review), Self.gates(review), Self.metrics(review),
            Self.values("Parameters", review.params, review),
            Self.data(review), Self.code(review), Self.values("Environment", review.environment, review),
            Self.provenance(review),
        ]
        if review.approvalsAsked > 0 || !review.approvals.isEmpty { sections.insert(Self.approvals(review), at: 2) }
    }

    private static func verdict(_ review: Review) -> Cell {
        let failed = review.gates.filter { !$0.isPassed }.count
        if failed > 0 { return .own("\(failed) of \(review.gates.count) gates failed", .bad) }
        let missing = Int(clamping: review.approvalsAsked) - review.approvalCount
        if missing > 0 { return .own("\(missing) more approval\(missing == 1 ? "" : "s") needed", .bad) }
        return review.gates.isEmpty ? .own("no gate was tried", .quiet) : .own("all gates passed", .good)
    }

    // MARK: Sections

    private static func versions(_ review: Review) -> Section {
        var section = Section(title: "Versions", columns: ["", "now", "candidate"])
        func row(_ name: String, _ text: (Review.Side) -> Cell) {
            section.rows.append([
                .own(name), review.current.map(text) ?? .own("nothing", .quiet), text(review.candidate),
            ])
        }
        row("version") { .own($0.label) }
        row("commit") { .own($0.commit.id.short) }
        row("message") { .foreign($0.commit.summary) }
        row("author") { .foreign($0.commit.author.name) }
        row("committed") { .own($0.commit.committer.time.minutes) }
        row("trained by") { .foreign($0.run?.user) }
        row("trained") { .own($0.run?.started.minutes ?? "") }
        row("run") {
            .foreign($0.run.map { [$0.name, String($0.id.prefix(12))].compactMap(\.self).joined(separator: " ") })
        }
        row("command") { .foreign($0.run.map { $0.command.map(shellQuoted).joined(separator: " ") }) }
        row("model size") { .own($0.size.map(ByteCount.format) ?? "not there") }
        if let assignment = review.assignment {
            let by = assignment.by.map { " by \($0)" } ?? ""
            section.rows.append([
                .own("staged"), .foreign("\(assignment.time.minutes)\(by) (\(assignment.tag))"), .own(""),
            ])
        }
        section.rows.removeAll { row in row.dropFirst().allSatisfy { $0.text.isEmpty || $0.tone == .quiet } }
        return section
    }

    private static func gates(_ review: Review) -> Section {
        var section = Section(title: "Gates", columns: ["", "gate", "saw"])
        for result in review.gates {
            let word = result.isPassed ? Cell.own("pass", .good) : .own("fail", .bad)
            section.rows.append([word, .foreign(result.text), .foreign(result.detail)])
            for line in result.isPassed ? [] : result.lines.prefix(10) {
                section.rows.append([.own(""), .own(""), .foreign(line)])
            }
        }
        if review.gates.isEmpty { section.note = "The stage has no gates that were tried." }
        return section
    }

    private static func approvals(_ review: Review) -> Section {
        var section = Section(title: "Approvals", columns: ["", "by", "at", "signed", "message", "why not"])
        section.rows = zip(review.approvals, review.objections).map { approval, objection in
            [
                objection == nil ? .own("counts", .good) : .own("does not count", .quiet), .foreign(approval.by),
                .own(approval.time.minutes), .own(approval.signature == nil ? "no" : "yes"),
                .foreign(approval.message), .foreign(objection),
            ]
        }
        let count = review.approvalCount
        section.note =
            "\(review.approvalsAsked) asked for, \(count) counted of \(review.approvals.count) given; that of whoever makes"
            + " the tag will not count."
        return section
    }

    private static func metrics(_ review: Review) -> Section {
        var section = Section(title: "Metrics", columns: ["metric", "now", "candidate", "change", ""])
        for metric in review.metrics {
            let texts = ReviewNumber.pair(metric.old, metric.new)
            let tone: Tone =
                switch metric.verdict {
                case .better: .good
                case .worse: .bad
                case .same, nil: .quiet
                }
            let change = metric.old.flatMap { old in metric.new.map { $0 - old } }
            section.rows.append([
                .foreign(metric.key), .number(texts.old), .number(texts.new),
                .number(change.map { $0.isNaN ? "" : ReviewNumber.change($0) } ?? "", tone),
                .own(metric.verdict?.rawValue ?? "", tone),
            ])
        }
        section.note = review.metrics.isEmpty ? review.candidate.problem ?? "None are recorded." : nil
        return cut(section)
    }

    private static func values(_ title: String, _ values: [Review.Value], _ review: Review) -> Section {
        var section = Section(title: title, columns: ["", "now", "candidate"])
        section.rows = values.map { [.foreign($0.key), .foreign($0.old), .foreign($0.new)] }
        if values.isEmpty { section.note = review.current == nil ? "Nothing is in the stage yet." : "No difference." }
        return cut(section)
    }

    private static func data(_ review: Review) -> Section {
        var section = Section(title: "Data", columns: ["", "path", "size", "rows", "what changed"])
        for change in review.data {
            let tone: Tone = change.state == .changed ? .plain : .quiet
            section.rows.append([
                .own(change.state.rawValue, tone), .foreign(change.path),
                .number(transition(change.old?.size, change.new?.size, ByteCount.format)),
                .number(transition(change.old?.rows, change.new?.rows) { String($0) }), .foreign(details(change)),
            ])
        }
        if review.data.isEmpty { section.note = "No difference." }
        return cut(section)
    }

    private static func transition(_ old: Int64?, _ new: Int64?, _ text: (Int64) -> String) -> String {
        switch (old, new) {
        case (let old?, let new?): old == new ? text(new) : "\(text(old)) → \(text(new))"
        case (let value?, nil), (nil, let value?): text(value)
        case (nil, nil): ""
        }
    }

    private static func details(_ change: DataChange) -> String {
        var parts: [String] = []
        if change.isDataset {
            if let files = change.files {
                parts.append("\(files.added) files added, \(files.changed) changed, \(files.removed) removed")
            } else {
                parts.append(transition(change.old?.files, change.new?.files) { "\($0) files" })
            }
        }
        if !change.addedColumns.isEmpty { parts.append("new columns " + change.addedColumns.joined(separator: ", ")) }
        if !change.removedColumns.isEmpty {
            parts.append("columns gone " + change.removedColumns.joined(separator: ", "))
        }
        if change.state != .changed, let columns = change.new?.columns ?? change.old?.columns {
            parts.append("\(columns.count) columns")
        }
        return parts.joined(separator: "; ")
    }

    private static func code(_ review: Review) -> Section {
        var section = Section(title: "Code", columns: ["file", "+", "−"])
        section.rows = review.code.map { file in
            guard let added = file.added, let deleted = file.deleted else {
                return [.foreign(file.path), .own("binary", .quiet), .own("")]
            }
            return [.foreign(file.path), .number("\(added)"), .number("\(deleted)")]
        }
        let added = review.code.reduce(0) { $0 + ($1.added ?? 0) }
        let deleted = review.code.reduce(0) { $0 + ($1.deleted ?? 0) }
        section = cut(section)
        if section.note == nil {
            section.note =
                review.code.isEmpty
                ? review.current == nil ? "Nothing is in the stage yet." : "No difference."
                : "\(review.code.count) files, \(added) lines added, \(deleted) deleted"
        }
        return section
    }

    private static func provenance(_ review: Review) -> Section {
        var section = Section(title: "Reproducibility")
        let (word, tone): (String, Tone) =
            switch review.reproducibility.verdict {
            case .reproduced: ("reproduced", .good)
            case .recorded: ("can be run again", .good)
            case .incomplete: ("may differ when run again", .bad)
            case .no: ("no", .bad)
            }
        section.rows = [
            [.own(word, tone), .foreign(review.reproducibility.reasons.first ?? "all that it needs is recorded")]
        ]
        section.rows += review.reproducibility.reasons.dropFirst().map { [.own(""), .foreign($0)] }
        return section
    }

    private static func cut(_ section: Section) -> Section {
        guard section.rows.count > longest else { return section }
        var section = section
        let more = section.rows.count - longest
        section.rows.removeLast(more)
        section.note = "… and \(more) more (--json lists all)"
        return section
    }
}

/// Numbers side by side.
enum ReviewNumber {
    /// Four digits behind the point; all of them where four would show no difference.
    static func pair(_ old: Double?, _ new: Double?) -> (old: String, new: String) {
        let (a, b) = (old.map(Decimal.short) ?? "", new.map(Decimal.short) ?? "")
        if let old, let new, a == b, old != new, !old.isNaN { return ("\(old)", "\(new)") }
        return (a, b)
    }

    static func change(_ value: Double) -> String { value == 0 ? "0" : (value > 0 ? "+" : "") + Decimal.short(value) }
}
