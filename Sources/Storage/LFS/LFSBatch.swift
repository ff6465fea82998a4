internal import Base
internal import Transport

/// The batch API: what is asked and what is answered (git-lfs `docs/api/batch.md`).
enum LFSBatch {
    static let limit = 100

    /// What a server says of one content.
    enum Answer: Sendable, Equatable {
        /// For an upload: it is there.
        case nothingToDo
        case actions([String: LFSAction])
        case failed(code: Int, message: String)
    }

    static func request(_ contents: [ContentID], _ direction: TransferDirection, ref: String?) -> JSON {
        var members: [JSON.Member] = [
            .init("operation", direction == .upload ? "upload" : "download"),
            .init("objects", .array(contents.map { ["oid": .string($0.digest.hex), "size": .int($0.size)] })),
            .init("transfers", ["basic"]),
        ]
        if let ref { members.append(.init("ref", ["name": .string(ref)])) }
        members.append(.init("hash_algo", "sha256"))
        return .object(members)
    }

    /// Reads an answer; contents that it leaves out are absent from the result.
    static func parse(
        _ json: JSON, _ contents: [ContentID], base: NetworkAddress, now: Timestamp = .now()
    ) throws -> [ContentID: Answer] {
        func refusal(_ detail: String) -> RemoteFailure {
            RemoteFailure(.unexpectedAnswer, address: base.shown, detail: detail)
        }
        if let transfer = json["transfer"]?.string, !transfer.isEmpty, transfer != "basic" {
            throw refusal("it wants to move content by “\(transfer)”, which was not offered")
        }
        if let algorithm = json["hash_algo"]?.string, !algorithm.isEmpty, algorithm != "sha256" {
            throw refusal("it names content by \(algorithm), not by SHA-256")
        }
        guard let objects = json["objects"]?.array else { throw refusal("its answer has no list of objects") }
        // One digest may have been asked for in two sizes.
        let asked = Dictionary(grouping: contents) { $0.digest.hex }
        var result: [ContentID: Answer] = [:]
        for object in objects {
            guard let sizes = object["oid"]?.string.flatMap({ asked[$0] }),
                let content = sizes.count == 1 ? sizes[0] : sizes.first(where: { $0.size == object["size"]?.int })
            else { continue }
            result[content] = try answer(object, base, now) { name in
                refusal("the address it gives for the \(name) of \(content.digest.short) is none that HTTP leads to")
            }
        }
        return result
    }

    private static func answer(
        _ object: JSON, _ base: NetworkAddress, _ now: Timestamp, _ refusal: (String) -> RemoteFailure
    ) throws -> Answer {
        if let error = object["error"], error != .null {
            return .failed(code: Int(error["code"]?.int ?? 0), message: error["message"]?.string ?? "no reason given")
        }
        // `_links` is what servers called it before 1.0, and some still do.
        guard let members = (object["actions"] ?? object["_links"])?.members, !members.isEmpty else {
            return .nothingToDo
        }
        var actions: [String: LFSAction] = [:]
        for member in members where ["upload", "download", "verify"].contains(member.key) && member.value != .null {
            let isAuthenticated = object["authenticated"]?.bool ?? false
            guard
                let action = LFSAction(member.value, base: base, isAuthenticated: isAuthenticated, now: now),
                ["http", "https"].contains(action.href.scheme)
            else { throw refusal(member.key) }
            actions[member.key] = action
        }
        return actions.isEmpty ? .nothingToDo : .actions(actions)
    }
}
