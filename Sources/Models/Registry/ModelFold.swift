internal import Base
internal import GitKit

/// What the tags of one model come to, by GTO's rules, with which `gto show` and `gto history` must agree.
///
/// The rules are those of GTO 1.10.1 (`gto/tag.py`, `gto/base.py`), oddities included:
/// - A version is its number and its commit: registering and deregistering it elsewhere are two other versions.
/// - Registrations are looked at before stages, whatever their dates: a stage belongs to the version that its commit ever had.
/// - On a commit without a version each tag stands for itself: an assignment there is not ended by an unassignment.
/// - Of an assignment and its end in the same second the end wins, so does a deregistration; a deprecation loses.
///
/// Where GTO fails altogether (two versions on one commit that is in a stage), the highest version that is registered counts.
struct ModelFold {
    private(set) var entry: ModelEntry
    private var versions: [State] = []
    private var places: [Key: Int] = [:]
    /// The versions with a number on each commit.
    private var numbered: [ObjectID: [Int]] = [:]
    /// By stage, the counted tags that end its highest assignment.
    private var ended: [String: [TagEvent]] = [:]
    private let commitTime: (ObjectID) -> Timestamp?

    private struct Key: Hashable {
        let number: SemanticVersion
        let commit: ObjectID
    }

    /// One of GTO's versions: with a number, or the lone tag of a commit that has none.
    private struct State {
        let number: SemanticVersion?
        let commit: ObjectID
        /// The latest of each kind.
        var registration: TagEvent?
        var deregistration: TagEvent?
        var assignments: [String: TagEvent] = [:]
        var ends: [String: TagEvent] = [:]
        /// The latest of all tags.
        var last: Timestamp

        var isActive: Bool {
            guard number != nil else { return true }
            guard let registration else { return false }
            return deregistration.map { $0.time < registration.time } ?? true
        }

        /// The assignment that holds.
        func assignment(_ stage: String) -> TagEvent? {
            guard let event = assignments[stage] else { return nil }
            return ends[stage].map { $0.time < event.time } ?? true ? event : nil
        }
    }

    /// Takes a model's tags by time, those of one second by name.
    ///
    /// `annotation` is the commit that names the model in `artifacts.yaml`; `commitTime` is asked for a commit's date.
    init(
        _ name: ModelName, _ events: [TagEvent], annotation: ObjectID?,
        commitTime: @escaping (ObjectID) -> Timestamp?
    ) {
        entry = ModelEntry(name: name)
        self.commitTime = commitTime
        for event in events { takeVersion(event) }
        var owners: [Int?] = []
        for event in events { owners.append(takeStage(event)) }
        setVersions()
        setStages()
        setDesired(events)
        setHistory(events, owners)
        setDeprecated(events, annotation)
    }

    // MARK: Versions

    private mutating func takeVersion(_ event: TagEvent) {
        let number: SemanticVersion
        switch event.tag.action {
        case .register(let version), .deregister(let version): number = version
        default: return
        }
        let key = Key(number: number, commit: event.commit)
        let place = places[key] ?? versions.count
        if place == versions.count {
            places[key] = place
            numbered[event.commit, default: []].append(place)
            versions.append(State(number: number, commit: event.commit, last: event.time))
        }
        versions[place].last = max(versions[place].last, event.time)
        if case .register = event.tag.action {
            versions[place].registration = event
        } else {
            versions[place].deregistration = event
        }
    }

    private mutating func setVersions() {
        entry.versions = versions.compactMap { state in
            guard let number = state.number, let event = state.registration else { return nil }
            return Version(
                version: number, commit: state.commit, tag: event.name, isDeregistered: !state.isActive, by: event.by,
                time: event.time)
        }
    }

    // MARK: Stages

    /// Returns which version a stage tag belongs to; nil for other tags.
    private mutating func takeStage(_ event: TagEvent) -> Int? {
        guard let stage = event.stage else { return nil }
        let place = owner(of: event.commit) ?? versions.count
        if place == versions.count { versions.append(State(number: nil, commit: event.commit, last: event.time)) }
        versions[place].last = max(versions[place].last, event.time)
        if case .assign = event.tag.action {
            versions[place].assignments[stage] = event
        } else {
            versions[place].ends[stage] = event
        }
        return place
    }

    private func owner(of commit: ObjectID) -> Int? {
        guard let candidates = numbered[commit], var best = candidates.first else { return nil }
        for next in candidates.dropFirst() where isPreferred(versions[next], to: versions[best]) { best = next }
        return best
    }

    private func isPreferred(_ a: State, to b: State) -> Bool {
        if a.isActive != b.isActive { return a.isActive }
        guard let a = a.number, let b = b.number else { return false }
        return !(a < b)
    }

    private mutating func setStages() {
        var found: [String: [(event: TagEvent, place: Int)]] = [:]
        for (place, state) in versions.enumerated() where state.isActive {
            for stage in state.assignments.keys {
                if let event = state.assignment(stage) { found[stage, default: []].append((event, place)) }
            }
        }
        for (stage, found) in found {
            var seen: Set<String> = []
            entry.stages[stage] = found.sorted { precedes($0, $1) }.compactMap { event, place in
                let assignment = Assignment(stage, event, version: versions[place].number)
                return seen.insert(assignment.label).inserted ? assignment : nil
            }
        }
    }

    /// The later assignment first; of one second that of the version that was made first.
    private func precedes(_ a: (event: TagEvent, place: Int), _ b: (event: TagEvent, place: Int)) -> Bool {
        if a.event.time != b.event.time { return a.event.time > b.event.time }
        let (made, other) = (created(a.place), created(b.place))
        return made == other ? a.place < b.place : made < other
    }

    /// GTO's `created_at` of a version.
    private func created(_ place: Int) -> Timestamp {
        let state = versions[place]
        if let registration = state.registration { return registration.time }
        return max(state.last, commitTime(state.commit) ?? state.last)
    }

    // MARK: What is wanted

    private mutating func setDesired(_ events: [TagEvent]) {
        var newest: [String: TagEvent] = [:]
        var highest: [String: TagEvent] = [:]
        for event in events {
            guard let stage = event.stage else { continue }
            func isNewer(than old: TagEvent?) -> Bool { (event.tag.counter ?? -1) >= (old?.tag.counter ?? -1) }
            if isNewer(than: newest[stage]) { newest[stage] = event }
            guard case .assign = event.tag.action, event.tag.counter != nil else { continue }
            if isNewer(than: highest[stage]) { highest[stage] = event }
        }
        entry.newest = newest
        entry.desired = entry.stages.compactMapValues(\.first).filter { highest[$0.key] == nil }
        for event in events {
            guard case .unassign(let stage) = event.tag.action, let counter = event.tag.counter,
                let assigned = highest[stage], assigned.commit == event.commit, counter >= assigned.tag.counter ?? 0
            else { continue }
            ended[stage, default: []].append(event)
        }
        for stage in ended.keys { highest[stage] = nil }
        for (stage, event) in highest {
            let number = owner(of: event.commit).flatMap { versions[$0].isActive ? versions[$0].number : nil }
            entry.desired[stage] = Assignment(stage, event, version: number)
        }
    }

    /// The tags that end an assignment which would be desired without them.
    func endings(_ stage: String) -> [TagEvent] {
        if let ended = ended[stage] { return ended }
        guard entry.desired[stage]?.counter == nil else { return [] }
        let holds = entry.stages[stage]?.first?.time
        return versions.filter(\.isActive).compactMap { state in
            guard let assigned = state.assignments[stage], state.assignment(stage) == nil,
                holds.map({ assigned.time >= $0 }) ?? true
            else { return nil }
            return state.ends[stage]
        }
    }

    // MARK: History

    private mutating func setHistory(_ events: [TagEvent], _ owners: [Int?]) {
        let order = events.indices.sorted {
            (events[$0].time, events[$0].priority, $0) < (events[$1].time, events[$1].priority, $1)
        }
        entry.history = order.map { i in
            let version: SemanticVersion? =
                switch events[i].tag.action {
                case .register(let version), .deregister(let version): version
                default: owners[i].flatMap { versions[$0].number }
                }
            return ModelChange(event: events[i], version: version)
        }
    }

    private mutating func setDeprecated(_ events: [TagEvent], _ annotation: ObjectID?) {
        guard let deprecated = events.last(where: { $0.tag.action == .deprecate }) else { return }
        // GTO holds a commit that was made later than the deprecation for a sign of life.
        let signs = versions.map(\.commit) + [annotation].compactMap(\.self)
        entry.isDeprecated =
            events.allSatisfy { $0.tag.action == .deprecate || $0.time < deprecated.time }
            && signs.allSatisfy { commitTime($0).map { $0 < deprecated.time } ?? true }
    }
}
