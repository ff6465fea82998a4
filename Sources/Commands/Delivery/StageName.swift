internal import ArgumentParser
internal import Models

/// A stage of a model at the command line: `churn#prod`.
struct StageName: ExpressibleByArgument {
    let model: String
    let stage: String

    init?(argument: String) {
        guard let sign = argument.lastIndex(of: "#") else { return nil }
        (model, stage) = (String(argument[..<sign]), String(argument[argument.index(after: sign)...]))
        guard ModelName(model) != nil, ModelName.isPart(stage) else { return nil }
    }
}
