internal import Base

/// What a client asks: the arguments of an endpoint, whether they came in the address or as JSON.
struct Call: Sendable {
    let method: String
    /// Behind the prefix of the API, without the slash before it: `runs/create`.
    let path: String
    let query: [String: [String]]
    let json: JSON
    /// How many bytes the body had.
    let size: Int

    /// A body that is no JSON counts as empty, as it does for MLflow.
    init(_ method: String, _ path: String, query: [String: [String]] = [:], body: [UInt8] = []) {
        self.method = method
        self.path = path
        self.query = query
        json = (try? JSON.parse(body)) ?? [:]
        size = body.count
    }

    private func value(_ name: String) -> JSON? {
        if let value = json[name], value != .null { return value }
        return query[name]?.first.map { .string($0) }
    }

    /// A text, or nil where there is none.
    func text(_ name: String) throws -> String? {
        switch value(name) {
        case nil: return nil
        case .string(let text)?: return text
        case let other?: throw Self.wrongType(other, name)
        }
    }

    /// A text that must be there and say something.
    func required(_ name: String) throws -> String {
        guard let text = try text(name), !text.isEmpty else { throw Self.missing(name) }
        return text
    }

    /// The id of a run, under either of its names.
    ///
    /// One that cannot be an id is refused as a value, where it is only looked up as a run that is not there.
    func run(lookingUp: Bool = false) throws -> String {
        guard let id = try text("run_id") ?? text("run_uuid"), !id.isEmpty else { throw Self.missing("run_id") }
        let units = Array(id.utf8)
        guard units.count <= 256, let first = units.first, Self.isWord(first), first != 0x5f,
            units.allSatisfy({ Self.isWord($0) || $0 == 0x2d })
        else { throw lookingUp ? Ledger.noRun(id) : MLflowFailure.value(.string(id), of: "run_id") }
        return id
    }

    static func isWord(_ unit: UInt8) -> Bool {
        (48...57).contains(unit) || (65...90).contains(unit) || (97...122).contains(unit) || unit == 0x5f
    }

    /// A whole number, written as one or as a text.
    func int(_ name: String) throws -> Int64? {
        guard let value = value(name) else { return nil }
        if let number = Self.whole(value) { return number }
        throw Self.wrongType(value, name)
    }

    /// A whole number in one of the ways in which clients write it: R has no others than `1.6e12`.
    static func whole(_ value: JSON) -> Int64? {
        value.int ?? value.string.flatMap { Int64($0) }
            ?? value.double.flatMap { Int64(exactly: $0.rounded(.towardZero)) }
    }

    func bool(_ name: String) -> Bool {
        json[name]?.bool ?? (query[name]?.first.map { ["true", "1", "True"].contains($0) } ?? false)
    }

    /// The texts of a list, or of an argument that is repeated.
    func texts(_ name: String) throws -> [String] {
        if let list = json[name]?.array {
            return try list.map { item in
                guard let text = item.string ?? item.int.map({ String($0) }) else { throw Self.wrongType(item, name) }
                return text
            }
        }
        if let value = json[name], value != .null { throw Self.wrongType(value, name) }
        return query[name] ?? []
    }

    func list(_ name: String) throws -> [JSON] {
        guard let value = json[name], value != .null else { return [] }
        guard let list = value.array else { throw Self.wrongType(value, name) }
        return list
    }

    /// How many results are wanted.
    func limit(_ standard: Int64, most: Int64) throws -> Int {
        let limit = try int("max_results") ?? standard
        guard limit >= 1 else {
            throw MLflowFailure.invalid(
                "Invalid value \(limit) for parameter 'max_results' supplied. It must be a positive integer")
        }
        guard limit <= most else {
            throw MLflowFailure.invalid(
                "Invalid value \(limit) for parameter 'max_results' supplied. It must be at most \(most)")
        }
        return Int(limit)
    }

    static func missing(_ name: String) -> MLflowFailure {
        .invalid("Missing value for required parameter '\(name)'." + advice)
    }

    /// What MLflow adds to a message about a parameter.
    static let advice = " See the API docs for more information about request parameters."

    static func wrongType(_ value: JSON, _ name: String) -> MLflowFailure {
        let type =
            switch value {
            case .null: "NoneType"
            case .bool: "bool"
            case .int: "int"
            case .double: "float"
            case .string: "str"
            case .array: "list"
            case .object: "dict"
            }
        return .value(
            value, of: name,
            " Hint: Value was of type '\(type)'." + advice)
    }
}

/// What an endpoint answers.
enum Answer: Sendable {
    case json(JSON)
    /// A text such as `OK`.
    case text(String)
    /// The bytes of a content, under the name of a file.
    case content(Digest, size: Int64, name: String)
    /// Bytes that are in memory.
    case bytes([UInt8], name: String)

    static let nothing = Answer.json([:])
}

/// The place in a list of results where the next page begins.
enum PageToken {
    static func text(_ offset: Int) -> String { Base64.encode(Array(#"{"offset": \#(offset)}"#.utf8)) }

    static func offset(_ text: String?) throws -> Int {
        guard let text, !text.isEmpty else { return 0 }
        guard let bytes = Base64.decode(text), let offset = (try? JSON.parse(bytes))?["offset"]?.int, offset >= 0 else {
            throw MLflowFailure.invalid("Invalid page token, could not base64-decode")
        }
        return Int(clamping: offset)
    }
}

/// One page of results.
struct Page<Item> {
    let items: [Item]
    let next: String?

    /// `found` are up to one more than `limit` results from an offset on.
    init(_ found: [Item], limit: Int, offset: Int) {
        items = Array(found.prefix(limit))
        next = found.count > limit ? PageToken.text(offset + limit) : nil
    }

    func json(_ name: String, _ json: (Item) throws -> JSON) rethrows -> JSON {
        var members: [JSON.Member] = []
        if !items.isEmpty { members.append(JSON.Member(name, .array(try items.map(json)))) }
        if let next { members.append(JSON.Member("next_page_token", .string(next))) }
        return .object(members)
    }
}

extension JSON {
    /// An object without the members that have no value: MLflow leaves them out.
    static func present(_ members: [(String, JSON?)]) -> JSON {
        .object(members.compactMap { key, value in value.map { Member(key, $0) } })
    }

    /// Pairs of key and value in the order of their keys; nil when there are none.
    static func pairs(_ values: [String: String]) -> JSON? {
        if values.isEmpty { return nil }
        return .array(
            values.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.map {
                ["key": .string($0.key), "value": .string($0.value)]
            })
    }

    /// A metric's value as MLflow writes it: JSON has no infinity.
    static func metric(_ value: Double) -> JSON {
        value.isNaN ? "NaN" : .double(value.isInfinite ? (value > 0 ? 1 : -1) * Double.greatestFiniteMagnitude : value)
    }
}

extension Timestamp {
    var milliseconds: Int64 { microseconds >= 0 ? microseconds / 1000 : (microseconds - 999) / 1000 }
    init(milliseconds: Int64) {
        self.init(microseconds: milliseconds.multipliedReportingOverflow(by: 1000).partialValue)
    }
}
