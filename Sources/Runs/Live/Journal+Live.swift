internal import Base
internal import SystemPackage

/// What a server does with the runs of its clients: many processes may write to one run, and it may have ended before.
extension Journal {
    /// Adds points of metrics to a run that goes on: flushed when this returns.
    ///
    /// Throws ``JournalFailure/ended(_:)`` when it does not go on any more.
    public func append(_ points: [(key: String, point: MetricPoint)], to run: String) throws {
        try whileGoingOn(run) {
            let (plain, reserved) = Self.sorted(points)
            if !plain.isEmpty {
                try Files.append(MetricWriter.lines(plain), to: folder(of: run).appending("metrics.jsonl"))
            }
            if !reserved.isEmpty { try appendCurves(reserved, to: run) }
        }
    }

    /// Makes this process one of those that keep a run going; false when the run has ended, or is not here.
    public func join(_ run: String) throws -> Bool {
        let folder = folder(of: run)
        let own = ProcessIdentity(getpid())
        if let owner = try RunOwner(in: folder), owner.has(own) { return true }
        return try FileLock.with(lock) {
            // Whoever folds holds this lock: a run whose processes have died is sealed by one of us or taken over by one.
            guard let owner = try RunOwner(in: folder), let lines = try lines(of: run), !Self.hasEnd(lines) else {
                return false
            }
            try owner.joined(by: own).write(to: folder)
            return true
        }
    }

    /// Whether no process but this one that is alive keeps a run going.
    public func isOurs(_ run: String) throws -> Bool {
        let own = ProcessIdentity(getpid())
        return try RunOwner(in: folder(of: run))?.joined(by: own).isOnly(own) ?? false
    }

    /// Ends a run that goes on; nothing that was acknowledged before is lost.
    public func finish(_ run: String, _ end: RunRecord.End) throws {
        try whileGoingOn(run) { _ = try seal(run, Closing(end: end)) }
    }

    /// Takes a run up again that has ended: its lines, and the points of its metrics, which are summed up anew at its end.
    public func resume(_ run: Run, lines recorded: [String], series: [String: [MetricPoint]]) throws {
        guard let id = UUIDv7(run.id) else { throw RunIDFailure(id: run.id) }
        try FileLock.with(lock) {
            if try join(inside: run.id) { return }
            let lines = try lines(of: run.id) ?? recorded
            var events = RunEvents(run: id, at: Self.next(after: lines))
            events.resume()
            let folder = folder(of: run.id)
            try Files.makeDirectory(folder)
            try RunOwner([ProcessIdentity(getpid())]).write(to: folder)
            let points = series.flatMap { key, points in points.map { (key: key, point: $0) } }
            try Files.replace(folder.appending("metrics.jsonl"), with: MetricWriter.lines(Self.sorted(points).plain))
            try Files.replace(file(of: run.id), with: Self.text(lines + events.lines))
        }
    }

    /// Adds events to a run that has ended: they wait here for the next fold, with all that is known of the run.
    ///
    /// `recorded` is asked for the run's lines when it is not here.
    public func amend(_ run: String, recorded: () throws -> [String], _ build: (inout RunEvents) throws -> Void) throws
    {
        guard let id = UUIDv7(run) else { throw RunIDFailure(id: run) }
        try FileLock.with(lock) {
            if try join(inside: run) { throw JournalFailure.goesOn(run) }
            let lines = try lines(of: run) ?? recorded()
            guard !lines.isEmpty else { throw UnknownRun(name: run) }
            var events = RunEvents(run: id, at: Self.next(after: lines))
            try build(&events)
            if !events.lines.isEmpty { try Files.replace(file(of: run), with: Self.text(lines + events.lines)) }
        }
    }

    /// The same as ``join(_:)`` for one that has the lock.
    private func join(inside run: String) throws -> Bool {
        guard let owner = try RunOwner(in: folder(of: run)), let lines = try lines(of: run), !Self.hasEnd(lines) else {
            return false
        }
        if owner.isAlive { return true }
        try owner.joined(by: ProcessIdentity(getpid())).write(to: folder(of: run))
        return true
    }

    private func whileGoingOn(_ run: String, _ body: () throws -> Void) throws {
        let folder = folder(of: run)
        guard Files.exists(folder) else { throw JournalFailure.ended(run) }
        try FileLock.with(folder.appending("lock")) {
            // The lock makes a folder that is not there: what a run has is its file of metrics.
            guard Files.exists(folder.appending("metrics.jsonl")) else { throw JournalFailure.ended(run) }
            try body()
        }
    }

    /// Metrics that are called like what a line of `metrics.jsonl` says of itself stand in event lines.
    private static func sorted(_ points: [(key: String, point: MetricPoint)]) -> (
        plain: [(key: String, point: MetricPoint)], reserved: [String: [MetricPoint]]
    ) {
        var plain: [(key: String, point: MetricPoint)] = []
        var reserved: [String: [MetricPoint]] = [:]
        for (key, point) in points {
            if MetricWriter.reserved.contains(key) {
                reserved[key, default: []].append(point)
            } else {
                plain.append((key, point))
            }
        }
        return (plain, reserved)
    }

    private func appendCurves(_ curves: [String: [MetricPoint]], to run: String) throws {
        guard let lines = try lines(of: run), let id = UUIDv7(run), let code = Self.code(lines) else {
            throw JournalFailure.ended(run)
        }
        var events = RunEvents(run: id, at: Self.next(after: lines))
        events.points(curves, besides: Run.fold(lines, on: code).first?.metrics ?? [:])
        try Files.append(Self.text(events.lines), to: file(of: run))
    }
}

extension RunEvents {
    /// Adds points to metrics of which `known` says what stands already.
    public mutating func points(_ curves: [String: [MetricPoint]], besides known: [String: MetricSummary]) {
        metrics(
            curves.reduce(into: [:]) { all, curve in
                guard let new = MetricSummary(curve.value) else { return }
                all[curve.key] = known[curve.key].map { $0.joined(with: new) } ?? new
            })
        let keys = curves.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let inline = JSON.sorted(
            curves.mapValues { points in
                [
                    "steps": .array(points.map { .int($0.step) }),
                    "values": .array(points.map { .number($0.value) }),
                    "times": .array(points.map { .int($0.time.microseconds) }),
                ] as JSON
            })
        add("series", [JSON.Member("inline", inline), JSON.Member("keys", .array(keys.map { .string($0) }))])
    }
}

extension MetricSummary {
    /// What is known of a metric once more points have come.
    func joined(with new: MetricSummary) -> MetricSummary {
        var all = self
        if (new.step, new.at?.microseconds ?? 0) >= (step, at?.microseconds ?? 0) {
            (all.last, all.step, all.at) = (new.last, new.step, new.at)
        }
        all.min = min.isNaN ? new.min : new.min.isNaN ? min : Swift.min(min, new.min)
        all.max = max.isNaN ? new.max : new.max.isNaN ? max : Swift.max(max, new.max)
        all.firstStep = Swift.min(firstStep, new.firstStep)
        all.count += new.count
        return all
    }
}

/// Writes lines that ``MetricLines`` reads.
enum MetricWriter {
    static let reserved: Set<String> = ["step", "time", "timestamp"]

    static func lines(_ points: [(key: String, point: MetricPoint)]) -> [UInt8] {
        var text: [UInt8] = []
        for (key, point) in points {
            text += #"{"step":"#.utf8
            text += String(point.step).utf8
            text += #","time":""#.utf8
            text += point.time.description.utf8
            text += #"","#.utf8
            text += JSON.string(key).encoded()
            text.append(UInt8(ascii: ":"))
            text += JSON.number(point.value).encoded()
            text += "}\n".utf8
        }
        return text
    }
}
