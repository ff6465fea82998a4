internal import Base
internal import Synchronization

extension ProgramBackend {
    /// So many bytes wait in memory at most.
    private static let most = 32 << 20

    /// Settings for a git that writes: what it acknowledges is on the disk.
    static let durably = ["-c", "core.fsync=loose-object,pack,pack-metadata,reference", "-c", "core.fsyncMethod=batch"]

    func object(_ id: ObjectID) throws -> (kind: ObjectKind, bytes: [UInt8]) {
        let found = try state.withLock { state -> (kind: ObjectKind, bytes: [UInt8])? in
            if let i = state.position[id] { return (state.pending[i].kind, state.pending[i].bytes) }
            return try withReader(&state) { try $0.object(id) }
        }
        guard let found else { throw GitFailure.missingObject(id.hex) }
        return found
    }

    func header(_ id: ObjectID) throws -> (kind: ObjectKind, size: Int)? {
        try state.withLock { state in
            if let i = state.position[id] { return (state.pending[i].kind, state.pending[i].bytes.count) }
            return try withReader(&state) { try $0.header(id) }
        }
    }

    /// Asks the reader; one that has died is not kept, so that the next question starts another.
    private func withReader<T>(_ state: inout State, _ body: (ObjectReader) throws -> T) throws -> T {
        let reader =
            state.reader
            ?? ObjectReader(git: git, environment: environment, folder: place.workTree ?? place.gitDirectory)
        state.reader = reader
        do {
            return try body(reader)
        } catch {
            state.reader = nil
            throw error
        }
    }

    func write(_ kind: ObjectKind, _ bytes: [UInt8]) throws -> ObjectID {
        let id = place.format.id(of: kind, bytes)
        let isHeld = state.withLock { state in
            if state.position[id] == nil {
                state.position[id] = state.pending.count
                state.pending.append((id, kind, bytes))
                state.pendingBytes += bytes.count
            }
            return state.holders > 0 && state.pendingBytes < Self.most
        }
        if !isHeld { try flush() }
        return id
    }

    func holdBack(_ change: Int) { state.withLock { $0.holders += change } }

    /// Gives git what was written, as one pack on its way into single files.
    func flush() throws {
        try state.withLock { state in
            if state.pending.isEmpty { return }
            let pack = PackStream(state.pending.map { ($0.kind, $0.bytes) }, format: place.format)
            var result = try attempt(Self.durably + ["unpack-objects", "-q"], input: pack.bytes)
            // `git gc --prune=now` removes an empty folder between its making and the making of a file in it.
            for _ in 0..<4 where result.status != 0 {
                result = try attempt(Self.durably + ["unpack-objects", "-q"], input: pack.bytes)
            }
            guard result.status == 0 else {
                throw Self.failure("write \(state.pending.count) object(s) into the repository", result)
            }
            (state.pending, state.position, state.pendingBytes) = ([], [:], 0)
        }
    }
}
