internal import Base
public import Storage
public import SystemPackage

/// The long-running filter that git starts once for many files (gitattributes(5), "Long Running Filter Process").
///
/// `clean` takes a file's bytes into the content store and answers its pointer; `smudge` answers the bytes behind
/// a pointer. What is no pointer passes through as it is.
///
/// When git hears of a pointer, its content is whole in the store; only when git sends many small files is one flush made for many:
/// as soon as git pauses or asks for content, and when it closes the pipe, for whose end git waits. A power cut before that flush
/// can take contents away, never leave a part of one under its name; then the files still are in the work tree, and a push or
/// `git ml fsck` tells of them.
public struct FilterProcess {
    /// Brings contents into the store; what cannot be brought is told of there, and answered here as the pointer.
    public typealias Fetch = @Sendable (_ wanted: [(pointer: Pointer, path: String)]) async -> Void

    /// So many files are flushed one by one: a hook that runs while git still holds the pipe finds them in place.
    private static let prompt = 16
    /// So many files at most wait for a flush.
    private static let most = 10_000
    /// After so long a pause of git's what waits is placed.
    private static let pause: Int32 = 20

    private let store: ContentStore
    private let filter: FetchFilter
    private let fetch: Fetch
    private let packets: PacketLines
    /// What git was told to ask for again, by path: the pointer's own bytes.
    private var delayed: [[UInt8]: (pointer: Pointer, text: [UInt8])] = [:]
    /// Paths of those that have not been brought yet.
    private var waiting: [[UInt8]] = []
    private var batch: ContentBatch?
    private var cleaned = 0
    /// Why content that git has the pointers of could not be placed.
    private var lost: (any Failure)?

    /// `filter` says which contents may be brought; what is here is answered in any case.
    public init(
        store: ContentStore, filter: FetchFilter = FetchFilter(), input: FileDescriptor = .standardInput,
        output: FileDescriptor = .standardOutput, fetch: @escaping Fetch
    ) {
        self.store = store
        self.filter = filter
        self.fetch = fetch
        packets = PacketLines(input: input, output: output)
    }

    /// Serves git until it closes the pipe.
    public mutating func run() async throws {
        guard let hello = try packets.readList() else { return }
        guard hello.first == Array("git-filter-client".utf8), hello.contains(Array("version=2".utf8)) else {
            throw FilterFailure("this is no git that speaks version 2 of the filter protocol")
        }
        try packets.write("git-filter-server")
        try packets.write("version=2")
        try packets.flush()
        let offered = try packets.readList() ?? []
        for capability in ["capability=clean", "capability=smudge", "capability=delay"]
        where offered.contains(Array(capability.utf8)) {
            try packets.write(capability)
        }
        try packets.flush()
        defer { batch = nil }
        while let request = try nextRequest() {
            let path = Self.value("pathname", request) ?? []
            switch Self.value("command", request).map({ String(decoding: $0, as: UTF8.self) }) {
            case "clean": try clean(path)
            case "smudge": try await smudge(path, mayDelay: Self.value("can-delay", request) == [0x31])
            case "list_available_blobs": try await listAvailable()
            default:
                try skipContent()
                try status("error")
            }
        }
        place()
        if let lost { throw lost }
    }

    private mutating func nextRequest() throws -> [[UInt8]]? {
        if batch?.waiting ?? 0 > 0, !packets.isReady(within: Self.pause) { place() }
        return try packets.readList()
    }

    /// Flushes and places what waits; when that fails, nothing more is taken in, so that git stops.
    private mutating func place() {
        guard let batch, batch.waiting > 0 else { return }
        do {
            try batch.place()
            lost = nil
        } catch {
            lost = error as? any Failure ?? FilterFailure("\(error)")
            warn("\(batch.waiting) file(s) that git has pointers of could not be stored: \(error)")
            warn("make room and run `git ml fsck`, which takes them from the work tree")
        }
    }

    private static func value(_ key: String, _ request: [[UInt8]]) -> [UInt8]? {
        request.first { $0.starts(with: (key + "=").utf8) }.map { Array($0.dropFirst(key.utf8.count + 1)) }
    }

    private func status(_ word: String) throws {
        try packets.write("status=\(word)")
        try packets.flush()
    }

    /// Answers whole content: status, bytes, flush, and an empty list that keeps the status.
    private func answer(_ bytes: [UInt8]) throws {
        try status("success")
        try packets.write(bytes)
        try packets.flush()
        try packets.flush()
    }

    private func skipContent() throws {
        while case .data = try packets.read() {}
    }

    /// Whether the user wants nothing brought at a checkout, in git-lfs's own words.
    public static var skipsSmudge: Bool {
        ["1", "true", "t", "yes", "on"].contains(environmentValue("GIT_LFS_SKIP_SMUDGE")?.lowercased() ?? "")
    }

    private func warn(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll("git-ml: \(text)\n".utf8)
    }

    // MARK: clean

    private mutating func clean(_ path: [UInt8]) throws {
        // Only what is large is streamed.
        var head: [UInt8] = []
        var ended = false
        while head.count <= HashingThread.bufferSize, !ended {
            if case .data(let bytes) = try packets.read() { head.append(contentsOf: bytes) } else { ended = true }
        }
        if ended, head.isEmpty || (try? Pointer.parse(head, path: "")) != nil || Dataset.isPointer(head, at: path) {
            return try answer(head)
        }
        do {
            if let lost { throw lost }
            if ended, Pointer.isConflict(head) {
                throw PointerFailure.conflict(path: String(decoding: path, as: UTF8.self))
            }
            let content = try take(head, &ended)
            try answer(Array(Pointer(digest: content.digest, size: content.size).text.utf8))
        } catch let failure as any Failure where !(failure is FilterFailure) {
            if !ended { try skipContent() }
            warn("\(String(decoding: path, as: UTF8.self)) was not added: \(failure)")
            for hint in failure.hints { warn(hint) }
            try status("error")
        }
    }

    /// Takes `head` and the packets up to the next flush into the store.
    private mutating func take(_ head: [UInt8], _ ended: inout Bool) throws -> ContentID {
        if ended {
            // Git asks again for what it is not sure of (`git status`): a store that cannot be written to has it already.
            let content = ContentID(Digest.of(head), size: Int64(head.count))
            if store.keeps(content.digest, size: content.size) { return content }
        }
        let batch = try batch ?? ContentBatch(store, isDeferred: true)
        self.batch = batch
        cleaned += 1
        let isPrompt = !ended || cleaned <= Self.prompt || batch.waiting >= Self.most
        let content = try ended ? batch.take(head) : stream(head, &ended, into: batch)
        if isPrompt { try batch.place() }
        return content
    }

    private func stream(_ head: [UInt8], _ ended: inout Bool, into batch: ContentBatch) throws -> ContentID {
        // What did not fit into the last buffer; a packet is smaller than one.
        var rest = head
        return try batch.take { buffer in
            var count = min(rest.count, buffer.count)
            buffer.copyBytes(from: rest[..<count])
            rest.removeFirst(count)
            while !ended, buffer.count - count >= PacketLines.maximumPayload {
                guard case .data(let bytes) = try packets.read() else {
                    ended = true
                    break
                }
                UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: bytes)
                count += bytes.count
            }
            // The caller fills its buffer to the brim: the last packet of one is cut.
            if !ended, count == 0, case .data(let bytes) = try packets.read() {
                count = min(bytes.count, buffer.count)
                buffer.copyBytes(from: bytes[..<count])
                rest = Array(bytes[count...])
            } else if !ended, count == 0 {
                ended = true
            }
            return count
        }
    }

    // MARK: smudge

    private mutating func smudge(_ path: [UInt8], mayDelay: Bool) async throws {
        place()
        var content: [UInt8] = []
        while case .data(let bytes) = try packets.read() {
            content.append(contentsOf: bytes)
            // Nothing that large is a pointer: it is passed through piece by piece.
            if content.count > 1 << 20 { return try passThrough(content) }
        }
        if let earlier = delayed.removeValue(forKey: path) { return try send(earlier.pointer, or: earlier.text) }
        let name = String(decoding: path, as: UTF8.self)
        let pointer: Pointer
        do { pointer = try Pointer.parse(content, path: name) } catch {
            if case .malformed = error { warn("\(error); it is left as it is") }
            return try answer(content)
        }
        let skips = Self.skipsSmudge
        if skips || pointer.size == 0 { return try answer(pointer.size == 0 && !skips ? [] : content) }
        guard !store.contains(pointer.digest, size: pointer.size), filter.allows(name) else {
            return try send(pointer, or: content)
        }
        if mayDelay {
            delayed[path] = (pointer, content)
            waiting.append(path)
            return try status("delayed")
        }
        await fetch([(pointer, name)])
        try send(pointer, or: content)
    }

    private func passThrough(_ start: [UInt8]) throws {
        // git reads the answer only when it has sent all: it must be kept till then.
        var content = start
        while case .data(let bytes) = try packets.read() { content.append(contentsOf: bytes) }
        try answer(content)
    }

    /// Brings all that waits, side by side, and says which paths may be asked for again: all of them, because what could
    /// not be brought is answered as its pointer.
    private mutating func listAvailable() async throws {
        let wanted = waiting.compactMap { path in
            delayed[path].map { (pointer: $0.pointer, path: String(decoding: path, as: UTF8.self)) }
        }
        if !wanted.isEmpty { await fetch(wanted) }
        for path in waiting { try packets.write(Array("pathname=".utf8) + path + [0x0a]) }
        waiting = []
        try packets.flush()
        try status("success")
    }

    /// Answers the content; a file whose content is not here stays a pointer, so that no checkout fails for want of data.
    private func send(_ pointer: Pointer, or text: [UInt8]) throws {
        let file = store.path(of: pointer.digest)
        guard store.contains(pointer.digest, size: pointer.size),
            let handle = try? FileDescriptor.open(file, .readOnly, options: [.closeOnExec])
        else { return try answer(text) }
        try handle.close()
        try status("success")
        do {
            try Files.readPieces(of: file) { try packets.write($0) }
        } catch let failure as FileFailure {
            // Half of the content is no answer: git then keeps the pointer or reports the file.
            warn("\(failure)")
            try packets.flush()
            return try status("error")
        }
        try packets.flush()
        try packets.flush()
    }
}
