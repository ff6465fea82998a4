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

    /// The codes of refusals that are no fault of the tag: what was delivered, or the policy, speaks against any.
    static let barringCodes: Set<String> = [
        "policy-rewound", "moved", "counter", "no-model", "no-stage", "no-signers-file", "unsupported",
    ]

    /// Whether the tags below it would be refused for the same reason.
    var bars: Bool { code.map(Self.barringCodes.contains) ?? false }

    init(_ description: String, code: String? = nil, waits: Bool = false, hints: [String] = []) {
        self.description = description
        self.code = code
        self.waits = waits
        self.hints = hints
    }
}
