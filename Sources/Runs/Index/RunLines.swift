internal import Base
internal import GitKit

/// Lines of one run from one or more notes, and what they fold into.
struct RunLines: Sendable {
    let run: RunKey
    private(set) var events: [Event] = []
    /// The notes that the lines stand on.
    private(set) var notes: [ObjectID] = []

    struct Event: Sendable {
        let time: Timestamp
        let line: [UInt8]
        let json: JSON
        let kind: String
        let note: ObjectID
    }

    private let clock: LineClock

    init(_ run: RunKey, _ clock: LineClock) {
        self.run = run
        self.clock = clock
    }

    /// Adds a line; one that cannot be read is passed over, but the note counts as one that names the run.
    mutating func add(_ line: UnsafeBufferPointer<UInt8>, on note: ObjectID) {
        if notes.last != note, !notes.contains(note) { notes.append(note) }
        guard let json = try? JSON.parse(line), let kind = json["ev"]?.string,
            let own = json["t"]?.string.flatMap({ Timestamp($0) })
        else { return }
        let time = clock.time(own, of: line, on: note)
        events.append(Event(time: time, line: Array(line), json: json, kind: kind, note: note))
    }

    var hasStart: Bool { events.contains { $0.kind == "start" } }
    var first: Timestamp? { events.map(\.time).min() }
    var last: Timestamp? { events.map(\.time).max() }

    /// The run that the lines tell of; nil when none of them can be read.
    func fold() -> Run? {
        let sorted = events.sorted(by: Self.precedes)
        guard let first = sorted.first else { return nil }
        var run = Run(id: run.text, commit: first.note, started: first.time)
        Self.apply(sorted, to: &run)
        return run
    }

    /// Lets the lines follow on what is known of a run; right only when all of them are later.
    func apply(to run: inout Run) { Self.apply(events.sorted(by: Self.precedes), to: &run) }

    private static func apply(_ sorted: [Event], to run: inout Run) {
        var before: Event?
        for event in sorted {
            if let before, before.time == event.time, before.line == event.line { continue }
            run.apply(event.kind, event.json, at: event.time)
            before = event
        }
    }

    /// By time, then by bytes; copies of one line on several notes by the note, so that the fold is the same everywhere.
    private static func precedes(_ a: Event, _ b: Event) -> Bool {
        if a.time != b.time { return a.time < b.time }
        if a.line != b.line { return a.line.lexicographicallyPrecedes(b.line) }
        return a.note < b.note
    }
}
