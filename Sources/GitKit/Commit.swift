public import Base

/// Who did something, and when.
public struct Signature: Hashable, Sendable {
    public let name: String
    public let email: String
    public let time: Timestamp
    /// As git writes it: `+0100`.
    public let zone: String

    public init(name: String, email: String, time: Timestamp, zone: String = "+0000") {
        self.name = name
        self.email = email
        self.time = time
        self.zone = zone
    }

    /// Reads `Ann <ann@example.com> 1700000000 +0100`.
    init?(_ text: some StringProtocol) {
        guard let open = text.lastIndex(of: "<"), let close = text.lastIndex(of: ">"), open < close else { return nil }
        let rest = text[text.index(after: close)...].split(separator: " ")
        guard let first = rest.first, let seconds = Int64(first) else { return nil }
        name = String(text[..<open]).trimmingTrailingSpace
        email = String(text[text.index(after: open)..<close])
        // A commit may claim any time; one beyond the year 9999 would overflow what is computed from it.
        time = Timestamp(seconds: min(max(seconds, -62_135_596_800), 253_402_300_799))
        zone = rest.count > 1 ? String(rest[1]) : "+0000"
    }

    /// The form git stores; characters that would break it are left out.
    var text: String {
        func clean(_ text: String) -> String { String(text.filter { !"<>\n\0".contains($0) }) }
        return "\(clean(name)) <\(clean(email))> \(time.microseconds / 1_000_000) \(zone)"
    }
}

/// A commit object.
public struct Commit: Sendable {
    public let id: ObjectID
    public let tree: ObjectID
    public let parents: [ObjectID]
    public let author: Signature
    public let committer: Signature
    public let message: String

    /// The first line of the message.
    public var summary: String { String(message.prefix { $0 != "\n" }) }

    init(bytes: [UInt8], id: ObjectID) throws {
        let (headers, message) = ObjectHeaders.split(bytes)
        guard let tree = headers.first(where: { $0.key == "tree" }).flatMap({ ObjectID($0.value) }),
            let author = headers.first(where: { $0.key == "author" }).flatMap({ Signature($0.value) }),
            let committer = headers.first(where: { $0.key == "committer" }).flatMap({ Signature($0.value) })
        else { throw GitFailure.malformed(object: id.hex, reason: "the commit lacks its tree, author or committer") }
        self.id = id
        self.tree = tree
        self.author = author
        self.committer = committer
        self.message = message
        parents = headers.filter { $0.key == "parent" }.compactMap { ObjectID($0.value) }
    }
}

/// An annotated tag object.
public struct TagObject: Sendable {
    public let id: ObjectID
    public let target: ObjectID
    public let targetKind: ObjectKind
    /// The name inside the object, which need not be the name of the ref that points at it.
    public let name: String
    public let tagger: Signature?
    /// The message, a signature's text included.
    public let message: String

    init(bytes: [UInt8], id: ObjectID) throws {
        let (headers, message) = ObjectHeaders.split(bytes)
        func value(_ key: String) -> String? { headers.first { $0.key == key }?.value }
        guard let target = value("object").flatMap({ ObjectID($0) }),
            let kind = value("type").flatMap({ ObjectKind(rawValue: $0) }), let name = value("tag")
        else { throw GitFailure.malformed(object: id.hex, reason: "the tag lacks its object, type or name") }
        self.id = id
        self.target = target
        self.targetKind = kind
        self.name = name
        self.message = message
        tagger = value("tagger").flatMap { Signature($0) }
    }
}

/// The lines before the message of a commit or tag.
enum ObjectHeaders {
    static func split(_ bytes: [UInt8]) -> (headers: [(key: String, value: String)], message: String) {
        var headers: [(key: String, value: String)] = []
        var at = 0
        while at < bytes.count, bytes[at] != 0x0a {
            let end = bytes[at...].firstIndex(of: 0x0a) ?? bytes.count
            // A line that starts with a space goes on with the one before (gpgsig): of no interest here.
            if bytes[at] != 0x20, let space = bytes[at..<end].firstIndex(of: 0x20) {
                headers.append(
                    (
                        String(decoding: bytes[at..<space], as: UTF8.self),
                        String(decoding: bytes[space + 1..<end], as: UTF8.self)
                    ))
            }
            at = end + 1
        }
        return (headers, String(decoding: bytes[min(at + 1, bytes.count)...], as: UTF8.self))
    }
}

extension Repository {
    public func commit(_ id: ObjectID) throws -> Commit { try Commit(bytes: bytes(of: id, as: .commit), id: id) }

    public func tag(_ id: ObjectID) throws -> TagObject { try TagObject(bytes: bytes(of: id, as: .tag), id: id) }

    /// Stores a commit object; no ref moves.
    public func writeCommit(tree: ObjectID, parents: [ObjectID], by signature: Signature, message: String) throws
        -> ObjectID
    {
        let headers =
            ["tree \(tree)"] + parents.map { "parent \($0)" }
            + ["author \(signature.text)", "committer \(signature.text)"]
        return try write(.commit, Array((headers.joined(separator: "\n") + "\n\n" + message).utf8))
    }

    /// The user as git knows them; a stand-in where `user.name` or `user.email` is not set.
    public func user(at time: Timestamp = .now()) throws -> Signature {
        let name = try environmentValue("GIT_COMMITTER_NAME") ?? setting("user.name")
        let email = try environmentValue("GIT_COMMITTER_EMAIL") ?? setting("user.email")
        return Signature(name: name ?? "git-ml", email: email ?? "git-ml@localhost", time: time)
    }
}
