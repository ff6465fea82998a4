internal import Base
internal import GitKit
internal import Models

/// What `git ml doctor` says of the tags of models.
struct TagCheck {
    private let repository: Repository
    private let project: Project

    /// So many lines of one kind are shown.
    private static let most = 50

    init(_ repository: Repository, _ project: Project) {
        self.repository = repository
        self.project = project
    }

    /// Tells `report` what must be mended, and prints what is only worth knowing.
    func report(_ report: (Bool, String, String) -> Void) throws {
        let registry = try Registry(repository, allowLight: project.allowsLightTags)
        if let problem = registry.artifactsProblem {
            report(false, "artifacts.yaml: \(problem)", "mend the file, or rename it if it is another tool's")
        }
        let known = Set(registry.models.keys).union(project.models.keys).map(\.description)
        let (own, others) = split(registry.problems, known)
        show(own) { report(false, "tag \($0.tag): \($0.reason)", "see “Models and stages” in the manual") }
        show(others) { note("tag \($0.tag): \($0.reason)") }
        let (missing, renamed) = try strange(registry)
        show(missing) {
            report(false, "tag \($0.name): its commit \($0.commit.short) is not in this clone", "git fetch --unshallow")
        }
        show(renamed) {
            report(
                false, "tag \($0.name): its object says that it is \($0.inner ?? "another")",
                "somebody copied or renamed a tag: make it anew, with the name that it is to have")
        }
        for model in registry.models.values.sorted(by: { $0.name < $1.name }) {
            for dispute in model.disputes { note(dispute) }
        }
    }

    /// Tags that almost keep to the grammar, of a name that is like no model's, are other tools'.
    private func split(_ problems: [TagProblem], _ known: [String]) -> (own: [TagProblem], others: [TagProblem]) {
        var own: [TagProblem] = []
        var others: [TagProblem] = []
        for problem in problems {
            let name = problem.model.replacing("=", with: ":")
            let isOwn = !problem.isNearMiss || known.contains(name) || Spelling.nearest(to: name, in: known) != nil
            if isOwn { own.append(problem) } else { others.append(problem) }
        }
        return (own, others)
    }

    private func strange(_ registry: Registry) throws -> (missing: [TagEvent], renamed: [TagEvent]) {
        let events = registry.models.values.flatMap { $0.history.map(\.event) }.sorted { $0.name < $1.name }
        var isHere: [ObjectID: Bool] = [:]
        let missing = try events.filter { event in
            if let known = isHere[event.commit] { return !known }
            let found = try repository.header(event.commit) != nil
            isHere[event.commit] = found
            return !found
        }
        return (missing, events.filter { event in event.inner.map { $0 != event.name } ?? false })
    }

    private func show<T>(_ items: [T], _ body: (T) -> Void) {
        for item in items.prefix(Self.most) { body(item) }
        if items.count > Self.most { note("\(items.count - Self.most) more tags like that") }
    }

    private func note(_ text: String) { print("note " + Terminal.safe(text)) }
}
