internal import Base

/// The hash by which a repository names its objects (`extensions.objectFormat`).
public enum ObjectFormat: String, Sendable, CaseIterable {
    case sha1, sha256

    /// How many hex digits a name has.
    public var digits: Int { self == .sha1 ? 40 : 64 }

    /// What git writes for “no object”.
    var zero: String { String(repeating: "0", count: digits) }

    func hash(_ bytes: [UInt8]) -> [UInt8] { self == .sha1 ? SHA1.of(bytes) : Digest.of(bytes).bytes }

    /// The name of an object that need not exist.
    func id(of kind: ObjectKind, _ bytes: [UInt8]) -> ObjectID {
        ObjectID(bytes: hash(Array("\(kind) \(bytes.count)\0".utf8) + bytes))
    }
}

extension Repository {
    /// The empty tree by its name in this repository: events that belong to no commit stand on it.
    public var emptyTree: ObjectID { format == .sha1 ? .emptyTree : Self.emptyTree256 }

    private static let emptyTree256 = ObjectFormat.sha256.id(of: .tree, [])
}
