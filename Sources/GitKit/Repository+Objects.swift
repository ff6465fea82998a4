internal import Base
internal import Synchronization

/// The four kinds of git objects.
public enum ObjectKind: String, Sendable {
    case commit, tree, blob, tag
}

extension ObjectKind: CustomStringConvertible {
    // Stated, because interpolation of an enumeration that has none asks reflection for its name: 1 ms the first time.
    public var description: String { rawValue }
}

extension Repository {
    /// An object's kind and bytes.
    ///
    /// In a partial clone a missing one is fetched from the remote by git.
    public func object(_ id: ObjectID) throws -> (kind: ObjectKind, bytes: [UInt8]) {
        do {
            return try backend.object(id)
        } catch GitFailure.missingObject(let name) {
            guard !usesProgram, try isPartial() else { throw GitFailure.missingObject(name) }
            return try program().object(id)
        }
    }

    /// An object's kind and size in bytes, without its content; nil when it is not here.
    public func header(_ id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
        if let header = try backend.header(id) { return header }
        return usesProgram ? nil : try isPartial() ? program().header(id) : nil
    }

    /// Stores an object; one that is there already is left alone.
    ///
    /// It is on the disk for good when a ref has been moved after it (``update(_:from:to:reason:)``).
    @discardableResult
    public func write(_ kind: ObjectKind, _ bytes: [UInt8]) throws -> ObjectID {
        let id = try backend.write(kind, bytes)
        recent.withLock { $0.add(id, kind, bytes) }
        return id
    }

    /// Writes many objects: what `body` writes is flushed to the disk once, when it returns.
    ///
    /// Where `git` writes, all of it goes through one process, and other processes see none of it before that.
    public func withoutFlushing<T>(_ body: () throws -> T) throws -> T {
        backend.holdBack(1)
        do {
            let value = try body()
            backend.holdBack(-1)
            try backend.flush()
            return value
        } catch {
            backend.holdBack(-1)
            throw error
        }
    }

    /// The bytes of an object that must be of the kind.
    func bytes(of id: ObjectID, as kind: ObjectKind) throws -> [UInt8] {
        let object = try object(id)
        guard object.kind == kind else {
            throw GitFailure.malformed(object: id.hex, reason: "it is a \(object.kind), not a \(kind)")
        }
        return object.bytes
    }

    /// A blob's bytes.
    public func blob(_ id: ObjectID) throws -> [UInt8] { try bytes(of: id, as: .blob) }
}
