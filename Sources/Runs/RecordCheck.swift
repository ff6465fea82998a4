internal import Base
public import GitKit

/// Looks for records of runs that cannot all be true: somebody with push rights can write any line into the notes.
public struct RecordCheck: Sendable {
    /// One id that stands for several things.
    public struct Contradiction: Sendable, Equatable {
        public let run: String
        /// The commits whose notes tell of the run.
        public let commits: [ObjectID]
        public let reason: String
    }

    private let repository: Repository

    public init(_ repository: Repository) { self.repository = repository }

    /// The runs of which there are two beginnings, or a summary of the same metric at the same moment with two values, by id.
    ///
    /// A run's lines may well stand on several commits: an amended or rebased commit has copies, which are the same byte for
    /// byte. Reads all notes of runs.
    public func contradictions() throws -> [Contradiction] {
        var facts: [Fact: Set<String>] = [:]
        var places: [String: Set<ObjectID>] = [:]
        for (commit, lines) in try Notes(RunLog.ref, in: repository).all() {
            for line in lines where line.contains(#""ev":"start""#) || line.contains(#""ev":"metrics""#) {
                guard let json = try? JSON.parse(line), let run = json["run"]?.string else { continue }
                places[run, default: []].insert(commit)
                if json["ev"]?.string == "start" {
                    facts[Fact(run: run, name: "start", time: ""), default: []].insert(line)
                } else if json["ev"]?.string == "metrics", let time = json["t"]?.string {
                    for metric in json["metrics"]?.members ?? [] {
                        facts[Fact(run: run, name: metric.key, time: time), default: []].insert("\(metric.value)")
                    }
                }
            }
        }
        var reasons: [String: Set<String>] = [:]
        for (fact, claims) in facts where claims.count > 1 {
            reasons[fact.run, default: []].insert(
                fact.time.isEmpty
                    ? "it begins \(claims.count) times, differently"
                    : "its \(fact.name) has \(claims.count) values at the same moment")
        }
        return reasons.sorted { $0.key < $1.key }.map { run, reasons in
            Contradiction(
                run: run, commits: (places[run] ?? []).sorted { $0.hex < $1.hex },
                reason: reasons.sorted().joined(separator: "; "))
        }
    }

    private struct Fact: Hashable {
        let run: String
        let name: String
        /// Empty: at any.
        let time: String
    }
}
