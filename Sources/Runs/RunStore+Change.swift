public import Base
internal import GitKit

/// A run whose id is not of our form, so that no line can be written about it.
public struct RunIDFailure: Failure {
    public let id: String
    public var kind: FailureKind { .user }
    public var description: String { "the run “\(id)” has no id of 32 hex digits, so nothing can be added to it" }
}

extension RunStore {
    /// Adds events to a run that is recorded already.
    ///
    /// They are later than all that is known of the run, whatever the clock says: what is said last must count.
    public func change(_ run: Run, _ build: (inout RunEvents) -> Void) throws {
        if running.contains(where: { $0.id == run.id }) {
            return try Journal(repository).append(to: run.id) { build(&$0) }
        }
        guard let id = UUIDv7(run.id) else { throw RunIDFailure(id: run.id) }
        let last = try log.lines(on: run.commit).lazy.compactMap { line -> Timestamp? in
            guard line.contains(run.id), let json = try? JSON.parse(line), json["run"]?.string == run.id else {
                return nil
            }
            return json["t"]?.string.flatMap { Timestamp($0) }
        }.max()
        let next = last.map { Timestamp(microseconds: $0.microseconds + 1) }
        var events = RunEvents(run: id, at: max(.now(), next ?? run.started))
        build(&events)
        try append(events.lines, to: run)
    }

    /// The runs that are part of another, in the order of their start; at most a thousand.
    public func runs(inside parent: Run) throws -> [Run] {
        let recorded = try index.read { try IndexLookup($0).runs(inside: parent.id) }
        let known = Set(running.map(\.id))
        return recorded.filter { !known.contains($0.id) } + running.filter { $0.parent == parent.id }
    }
}
