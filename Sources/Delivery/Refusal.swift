public import Base

/// Policy said no: nothing was built or changed because of it.
public struct Refusal: Failure, Equatable {
    public let description: String
    /// One word for scripts.
    public let code: String?
    /// Whether it is looked at again when something has changed: the tag is not at fault.
    public let waits: Bool
    public let hints: [String]
    public var kind: FailureKind { .user }

    init(_ description: String, code: String? = nil, waits: Bool = false, hints: [String] = []) {
        self.description = description
        self.code = code
        self.waits = waits
        self.hints = hints
    }
}
