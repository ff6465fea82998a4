internal import Base
public import Storage
public import SystemPackage

/// The long-running filter that git starts once for many files (gitattributes(5), "Long Running Filter Process").
///
/// `clean` takes a file's bytes into the content store and answers its pointer; `smudge` answers the bytes behind
/// a pointer. What is no pointer passes through as it is.
public struct FilterProcess {
    private let store: ContentStore
    /// Brings content that is not in the store; false when that cannot be done now.
    private let fetch: (Pointer, String) async -> Bool
    private var packets: PacketLines

    public init(
        store: ContentStore, input: FileDescriptor = .standardInput, output: FileDescriptor = .standardOutput,
        fetch: @escaping (Pointer, String) async -> Bool
    ) {
        self.store = store
        self.fetch = fetch
        packets = PacketLines(input: input, output: output)
    }

    /// Serves git until it closes the pipe.
    public mutating func run() async throws {
        guard let hello = try packets.readList() else { return }
        guard hello.first == "git-filter-client", hello.contains("version=2") else {
            throw FilterFailure("this is no git that speaks version 2 of the filter protocol")
        }
        try packets.write("git-filter-server")
        try packets.write("version=2")
        try packets.flush()
        let offered = try packets.readList() ?? []
        for capability in ["capability=clean", "capability=smudge"] where offered.contains(capability) {
            try packets.write(capability)
        }
        try packets.flush()
        while let request = try packets.readList() {
            let command = Self.value("command", request)
            let path = Self.value("pathname", request) ?? ""
            switch command {
            case "clean": try clean()
            case "smudge": try await smudge(path)
            default:
                try skipContent()
                try status("error")
            }
        }
    }

    private static func value(_ key: String, _ request: [String]) -> String? {
        request.first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
    }

    private mutating func status(_ word: String) throws {
        try packets.write("status=\(word)")
        try packets.flush()
    }

    /// Answers whole content: status, bytes, flush, and an empty list that keeps the status.
    private mutating func answer(_ bytes: some Sequence<UInt8>) throws {
        try status("success")
        try packets.write(ArraySlice(bytes))
        try packets.flush()
        try packets.flush()
    }

    private mutating func skipContent() throws {
        while case .data = try packets.read() {}
    }

    // MARK: clean

    private mutating func clean() throws {
        // A pointer is small: only what is larger than one is streamed.
        var head: [UInt8] = []
        var ended = false
        while head.count <= Pointer.maximumLength, !ended {
            if case .data(let bytes) = try packets.read() { head += bytes } else { ended = true }
        }
        if ended, head.isEmpty || (try? Pointer.parse(head, path: "")) != nil { return try answer(head) }
        do {
            let (digest, size) = try store.insert { put in
                try head.withUnsafeBytes { try put($0) }
                while !ended {
                    guard case .data(let bytes) = try packets.read() else {
                        ended = true
                        break
                    }
                    try bytes.withUnsafeBytes { try put($0) }
                }
            }
            try answer(Pointer(digest: digest, size: size).text.utf8)
        } catch let failure as FileFailure {
            if !ended { try skipContent() }
            try report(failure)
        }
    }

    private mutating func report(_ failure: any Error) throws {
        _ = try? FileDescriptor.standardError.writeAll("git-ml: \(failure)\n".utf8)
        try status("error")
    }

    // MARK: smudge

    private mutating func smudge(_ path: String) async throws {
        var content: [UInt8] = []
        while case .data(let bytes) = try packets.read() { content += bytes }
        guard let pointer = try? Pointer.parse(content, path: path), pointer.size > 0 else {
            return try answer(content)
        }
        // A file that cannot be brought stays a pointer, so that a checkout never fails for want of data.
        let isHere = store.contains(pointer.digest, size: pointer.size)
        if environmentValue("GIT_LFS_SKIP_SMUDGE") != nil { return try answer(content) }
        if !isHere {
            guard await fetch(pointer, path) else { return try answer(content) }
        }
        try status("success")
        try Files.readPieces(of: store.path(of: pointer.digest)) { try packets.write(Array($0)[...]) }
        try packets.flush()
        try packets.flush()
    }
}
