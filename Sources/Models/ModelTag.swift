/// What a tag says of a model; GTO's grammar.
public struct ModelTag: Hashable, Sendable, CustomStringConvertible {
    public enum Action: Hashable, Sendable {
        /// `churn@v1.2.0`
        case register(SemanticVersion)
        /// `churn@v1.2.0!`
        case deregister(SemanticVersion)
        /// `churn#prod`
        case assign(stage: String)
        /// `churn#prod!`
        case unassign(stage: String)
        /// `churn@deprecated`
        case deprecate
    }

    public let model: ModelName
    public let action: Action
    /// The number at the end: `churn#prod#4`.
    public let counter: Int?

    /// The largest counter that is read; one that is larger would leave no room for the next.
    public static let largestCounter = 999_999_999_999_999

    public init(_ model: ModelName, _ action: Action, counter: Int? = nil) {
        self.model = model
        self.action = action
        self.counter = counter
    }

    /// Reads a tag's name, without `refs/tags/`; nil when it is no tag of a model.
    public init?(_ name: some StringProtocol) {
        guard case .tag(let tag) = Self.read(Array(name.utf8)) else { return nil }
        self = tag
    }

    public var description: String {
        let body =
            switch action {
            case .register(let version): "@\(version)"
            case .deregister(let version): "@\(version)!"
            case .assign(let stage): "#\(stage)"
            case .unassign(let stage): "#\(stage)!"
            case .deprecate: "@deprecated"
            }
        return model.inTag + body + (counter.map { "#\($0)" } ?? "")
    }
}

// MARK: - Reading

extension ModelTag {
    /// What a tag's name turns out to be.
    enum Reading {
        case tag(ModelTag)
        /// It almost keeps to the grammar; the reason says where it does not.
        case nearMiss(String)
        /// Some other tag.
        case other
    }

    /// Reads a name; `last` is the model of the tag before it in a list, which most often is the same.
    static func read(_ name: [UInt8], after last: ModelName? = nil) -> Reading {
        let (at, hash, bang) = (UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "!"))
        guard let mark = name.firstIndex(where: { $0 == at || $0 == hash }) else { return .other }
        func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
        let before = name[..<mark]
        let same = last.flatMap { $0.description.utf8.elementsEqual(before) ? $0 : nil }
        guard let model = same ?? ModelName(bytes: before), !name[..<mark].contains(UInt8(ascii: ":")) else {
            return .nearMiss(
                mark == 0
                    ? "no model's name stands before the \(text(name[0...0]))"
                    : "“\(text(name[..<mark]))” is no name of a model: letters, digits, -, / and _")
        }
        var word = name[(mark + 1)...]
        var counter: Int?
        if let end = word.lastIndex(of: hash) {
            let digits = word[(end + 1)...]
            guard let number = Self.counter(digits) else {
                return .nearMiss("“\(text(digits))” is no counter: a whole number of at most 15 digits")
            }
            counter = number
            word = word[..<end]
        }
        let isNegated = word.last == bang
        let plain = isNegated ? word.dropLast() : word
        if name[mark] == hash {
            guard ModelName.isPart(plain) else {
                return .nearMiss("“\(text(plain))” is no name of a stage: letters, digits, -, / and _")
            }
            let stage = text(plain)
            return .tag(ModelTag(model, isNegated ? .unassign(stage: stage) : .assign(stage: stage), counter: counter))
        }
        if plain.elementsEqual("deprecated".utf8) {
            if isNegated {
                return .nearMiss("a deprecation is not taken back by a tag: register or stage the model anew")
            }
            return .tag(ModelTag(model, .deprecate, counter: counter))
        }
        guard plain.first == UInt8(ascii: "v"), let version = SemanticVersion(bytes: plain.dropFirst()) else {
            return .nearMiss("“\(text(plain))” is no version: v, then a semantic version such as v1.2.0")
        }
        return .tag(ModelTag(model, isNegated ? .deregister(version) : .register(version), counter: counter))
    }

    private static func counter(_ digits: ArraySlice<UInt8>) -> Int? {
        guard !digits.isEmpty else { return nil }
        var value = 0
        for digit in digits {
            guard (48...57).contains(digit), value <= largestCounter / 10 else { return nil }
            value = value * 10 + Int(digit - 48)
        }
        return value <= largestCounter ? value : nil
    }
}
