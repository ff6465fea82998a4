internal import Base
internal import SystemPackage

/// Reads an image out of a tar archive: an OCI layout, or what `docker save` wrote.
///
/// The latter has no manifest of its own; one is made of its config and its layers as they lie there, so that the same archive
/// always has the same digest.
struct ArchiveSource: ImageSource {
    private let file: FilePath
    private let tar: TarReader
    private let name: String?
    private let tag: String?

    init(_ file: FilePath, name: String?, tag: String?) throws {
        self.file = file
        self.name = name
        self.tag = tag
        tar = try TarReader(file)
    }

    var address: String { "\(file)" }

    func manifest(_ digest: Digest?) async throws -> StoredManifest {
        if tar.members["index.json"] != nil, tar.members["oci-layout"] != nil {
            let wanted = try digest ?? LayoutIndex(text("index.json"), place: address).find(tag).digest
            guard let bytes = try read("blobs/sha256/\(wanted.hex)") else {
                throw ImageFailure.notFound(reference: "\(address)@\(wanted)")
            }
            return try StoredManifest(bytes, type: nil, digest: wanted, place: address)
        }
        let made = try await Threads.result { try docker() }
        let bytes = Array(made.canonical.utf8)
        return try StoredManifest(bytes, type: nil, digest: digest, place: address)
    }

    /// Nobody writes any into archives.
    func referrers(of image: Digest) async throws -> [Referrer] { [] }

    func fetch(_ blob: Descriptor, to target: FilePath, progress: @escaping ByteProgress) async throws {
        let place = try await Threads.result { try member(blob) }
        guard let place else { throw ImageFailure.notFound(reference: "\(address)@\(blob.digest)") }
        try await Threads.result {
            var hasher = Digest.Hasher()
            try Files.replace(target) { output in
                try pieces(place) { piece in
                    hasher.update(piece)
                    try output.write(all: piece, to: target)
                    progress(Int64(piece.count))
                }
                guard hasher.finish() == blob.digest, place.size == blob.size else {
                    throw ImageFailure.malformed(place: address, reason: "its bytes do not match \(blob.digest)")
                }
            }
        }
    }

    private func member(_ blob: Descriptor) throws -> TarReader.Member? {
        if let found = tar.members["blobs/sha256/\(blob.digest.hex)"] { return found }
        let image = try dockerEntry()
        for path in [image.config] + image.layers {
            if let member = tar.members[path], member.size == blob.size, try hash(member) == blob.digest {
                return member
            }
        }
        return nil
    }

    // MARK: docker save

    private func dockerEntry() throws -> (config: String, layers: [String]) {
        guard let text = try text("manifest.json"), let all = try? JSON.parse(text).array else {
            throw ImageFailure.malformed(
                place: address, reason: "it has neither index.json nor manifest.json: no image")
        }
        let wanted = tag.map { tag in name.map { "\($0):\(tag)" } ?? ":\(tag)" }
        let found = all.filter { entry in
            guard let wanted else { return true }
            let tags = entry["RepoTags"]?.array?.compactMap(\.string) ?? []
            return tags.contains { name == nil ? $0.hasSuffix(wanted) : (try? "\(ImageReference($0))") == wanted }
        }
        guard let entry = found.first, found.count == 1, let config = entry["Config"]?.string else {
            let there = all.flatMap { $0["RepoTags"]?.array?.compactMap(\.string) ?? [] }
            throw ImageFailure.notFound(
                reference: address + (wanted ?? ""),
                hints: there.isEmpty ? [] : ["there are: \(there.joined(separator: ", "))"])
        }
        return (config, entry["Layers"]?.array?.compactMap(\.string) ?? [])
    }

    private func docker() throws -> JSON {
        let image = try dockerEntry()
        func descriptor(_ path: String, _ type: (TarReader.Member) throws -> String) throws -> JSON {
            guard let member = tar.members[path] else {
                throw ImageFailure.malformed(place: address, reason: "\(path) is not in it")
            }
            return Descriptor(mediaType: try type(member), digest: try hash(member), size: member.size).json
        }
        return [
            "schemaVersion": 2, "mediaType": .string(MediaType.manifest),
            "config": try descriptor(image.config) { _ in MediaType.config },
            "layers": .array(
                try image.layers.map { path in
                    try descriptor(path) { try isGzip($0) ? MediaType.gzipLayer : MediaType.tarLayer }
                }),
        ]
    }

    private func isGzip(_ member: TarReader.Member) throws -> Bool {
        try Files.read(file, from: member.start, limit: 2) == [0x1f, 0x8b]
    }

    private func hash(_ member: TarReader.Member) throws -> Digest {
        var hasher = Digest.Hasher()
        try pieces(member) { hasher.update($0) }
        return hasher.finish()
    }

    // MARK: Bytes

    private func text(_ name: String) throws -> String? {
        try read(name).map { String(decoding: $0, as: UTF8.self) }
    }

    private func read(_ name: String) throws -> [UInt8]? {
        guard let member = tar.members[name] else { return nil }
        guard member.size <= StoredManifest.limit else {
            throw ImageFailure.malformed(place: address, reason: "\(name) in it has \(member.size) bytes")
        }
        return try Files.read(file, from: member.start, limit: Int(member.size))
    }

    private func pieces(_ member: TarReader.Member, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var at: Int64 = 0
        while at < member.size {
            let bytes = try Files.read(file, from: member.start + at, limit: Int(min(1 << 20, member.size - at)))
            guard !bytes.isEmpty else { throw ImageFailure.malformed(place: address, reason: "it ends early") }
            try bytes.withUnsafeBytes { try body($0) }
            at += Int64(bytes.count)
        }
    }
}
