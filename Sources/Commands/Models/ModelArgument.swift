internal import ArgumentParser
internal import Models

/// A model as a command's argument names it: its name, or an address that says besides which version is meant.
struct ModelArgument: ExpressibleByArgument {
    /// The model's name; of what is neither a name nor an address all of it, for whoever looks it up to refuse.
    let name: String
    /// The version or stage that was named with it.
    let address: ModelAddress?

    init(argument: String) {
        let address = try? ModelAddress(argument)
        name = address.map { "\($0.model)" } ?? argument
        self.address = address.flatMap { $0.isBare ? nil : $0 }
    }

    /// What a command is told of a version, be it with the model or by an argument of its own, but not by both.
    func version(or other: String?) throws -> String? {
        guard let address else { return other }
        if let other { throw ValidationError("“\(address)” says already which version is meant: leave “\(other)” out") }
        return address.description
    }
}
