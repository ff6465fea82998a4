internal import Base
internal import GitKit
internal import Synchronization

/// The time at which a line of the notes counts.
///
/// That is its own, unless it lies more than 24 h ahead of the notes commit that brought it: then that commit's, so that a
/// wrong clock does not win for ever. Only lines that are ahead of our own clock too are looked into: a notes commit may have been
/// given an old date (`GIT_COMMITTER_DATE`), and what is past does not win for ever.
final class LineClock: Sendable {
    private static let tolerance: Int64 = 24 * 3600 * 1_000_000
    /// How many notes commits are looked at before the one that was reached stands for those behind it.
    private static let patience = 2000

    private let notes: Notes
    private let head: ObjectID?
    private let state: Mutex<State>

    private struct State {
        var limit: Int64?
        var steps = 0
        var known: [ObjectID: [String: Timestamp]] = [:]
    }

    /// `head` is the commit of the ref of runs that the lines are read at.
    init(_ repository: Repository, head: ObjectID?) {
        notes = Notes(RunLog.ref, in: repository)
        self.head = head
        state = Mutex(State())
    }

    func time(_ own: Timestamp, of line: some Collection<UInt8>, on object: ObjectID) -> Timestamp {
        guard let head else { return own }
        return state.withLock { state in
            let limit = state.limit ?? self.limit(head)
            state.limit = limit
            guard own.microseconds > limit else { return own }
            if state.known[object] == nil { state.known[object] = bringers(of: object, from: head, &state.steps) }
            guard let brought = state.known[object]?[String(decoding: line, as: UTF8.self)],
                own.microseconds > brought.microseconds + Self.tolerance
            else { return own }
            return brought
        }
    }

    private func limit(_ commit: ObjectID) -> Int64 {
        let time = (try? notes.repository.commit(commit))?.committer.time.microseconds
        return max(time ?? 0, Timestamp.now().microseconds) + Self.tolerance
    }

    /// For each line on an object the time of the notes commit that brought it.
    ///
    /// Of a merge the parent that has the line is followed; of two, the first.
    private func bringers(of object: ObjectID, from head: ObjectID, _ steps: inout Int) -> [String: Timestamp] {
        var times: [String: Timestamp] = [:]
        var waiting: [(commit: ObjectID, lines: Set<String>)] = [(head, lines(on: object, at: head))]
        while let (commit, lines) = waiting.popLast() {
            guard !lines.isEmpty, let content = try? notes.repository.commit(commit) else { continue }
            var own = lines
            steps += 1
            for parent in content.parents where steps < Self.patience && !own.isEmpty {
                let older = self.lines(on: object, at: parent).intersection(own)
                own.subtract(older)
                waiting.append((parent, older))
            }
            for line in own { times[line] = content.committer.time }
        }
        return times
    }

    private func lines(on object: ObjectID, at commit: ObjectID) -> Set<String> {
        guard let blob = try? notes.blob(on: object, at: commit), let bytes = try? notes.repository.blob(blob) else {
            return []
        }
        return Set(bytes.split(separator: 0x0a).map { String(decoding: $0, as: UTF8.self) })
    }
}
