internal import ArgumentParser
internal import Models

/// A stage of a model at the command line: `churn#prod`, or `models:/churn@prod`.
struct StageName: ExpressibleByArgument {
    let model: String
    let stage: String

    init?(argument: String) {
        guard let address = try? ModelAddress(argument), case .stage(let stage) = address.selector else { return nil }
        (model, self.stage) = ("\(address.model)", stage)
    }
}
