internal import Base
internal import GitKit
internal import Runs

/// Finds the runs behind the commits that gates compare, as one model sees them.
struct CandidateRuns {
    let store: RunStore
    let model: ModelName
    /// Where the model lies.
    let path: String?

    enum Found {
        case none
        case one(Run)
        case several(DisagreeingRuns)
    }

    func behind(_ commit: ObjectID) throws -> Found {
        do {
            return try store.run(behind: commit, path: path).map { .one($0.seen(by: model.description)) } ?? .none
        } catch let failure as DisagreeingRuns {
            return .several(failure)
        }
    }

    /// What is in the stage: a commit whose run is not known makes what compares with it fail.
    func current(_ commit: ObjectID) throws -> GateReferences.Current {
        switch try behind(commit) {
        case .none: .unknown(reason: "what is in the stage now, \(commit.short), has no recorded run")
        case .one(let run): .run(run)
        case .several(let failure): .unknown(reason: "\(failure)")
        }
    }

    /// The runs behind registered versions; of several that disagree each counts, and the hardest to match decides.
    func versions(_ versions: [Version], except candidate: ObjectID) throws -> [(label: String, run: Run?)] {
        var runs: [(label: String, run: Run?)] = []
        for version in versions where !version.isDeregistered && version.commit != candidate {
            switch try behind(version.commit) {
            case .none: runs.append(("\(version.version)", nil))
            case .one(let run): runs.append(("\(version.version)", run))
            case .several(let failure):
                runs += failure.runs.map { ("\(version.version)", $0.seen(by: model.description)) }
            }
        }
        return runs
    }
}
