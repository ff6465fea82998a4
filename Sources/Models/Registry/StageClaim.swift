/// A tag that decides what a stage is to be, unless it is refused: then it does not count, and the next one does.
public struct StageClaim: Sendable {
    /// The model as the tags that count so far show it.
    public let model: ModelEntry
    /// What the tag says.
    ///
    /// Of one that takes the model out of the stage, `commit` is where it says so.
    public let assignment: Assignment
    /// Whether it takes the model out of the stage.
    public let isEnd: Bool
}

extension Registry {
    /// The stages that a model's tags speak of.
    public func stages(of model: ModelName) -> [String] { Set(events(of: model).compactMap(\.stage)).sorted() }

    /// A model's tags that count, by time.
    public func tags(of model: ModelName) -> [TagEvent] { events(of: model) }

    /// Goes through the claims on a stage, the highest first, until one is not refused.
    ///
    /// ``ModelEntry/desired`` goes by the tags alone. Whoever may push where no hook of ours looks can push a tag with a high
    /// counter: policy refuses it, and it must not hide the assignment below it. So a refused tag is left out, and what is
    /// desired without it comes next; the same goes for a tag that ends an assignment.
    ///
    /// - Parameters:
    ///   - stage: The stage.
    ///   - model: The model.
    ///   - refused: The names of tags that were refused before; nobody is asked about them again.
    ///   - isRefused: Is told a claim and says whether policy refuses it; false ends the walk.
    /// - Throws: What `isRefused` throws.
    public func settle(
        _ stage: String, of model: ModelName, without refused: Set<String> = [],
        isRefused: (StageClaim) async throws -> Bool
    ) async throws {
        var refused = refused
        while true {
            let fold = fold(model, events(of: model).filter { !refused.contains($0.name) })
            func claim(_ assignment: Assignment, isEnd: Bool) -> StageClaim {
                StageClaim(model: fold.entry, assignment: assignment, isEnd: isEnd)
            }
            let before = refused.count
            for end in fold.endings(stage).map({ Assignment(stage, $0, version: nil) })
            where try await isRefused(claim(end, isEnd: true)) {
                refused.insert(end.tag)
            }
            if refused.count > before { continue }
            guard let desired = fold.entry.desired[stage], try await isRefused(claim(desired, isEnd: false)) else {
                return
            }
            refused.insert(desired.tag)
        }
    }
}
