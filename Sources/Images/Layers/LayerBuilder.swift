public import Base
internal import Gzip
public import SystemPackage

/// A layer of an image.
public struct Layer: Sendable {
    public enum Kind: String, Sendable { case base, dependencies, code, model }

    public let kind: Kind
    /// The digest of the tar archive, before gzip.
    public let diffID: Digest
    let blob: ImageBlob

    public var descriptor: Descriptor { blob.descriptor }
}

/// How a layer is stored.
public enum LayerForm: String, Sendable, CaseIterable {
    /// Gzip: of stored blocks, or deflated where a sample shrinks by a quarter. Every reader and validator takes it.
    case gzip
    /// The bare tar archive: one hash less, but some validators refuse it.
    case tar
}

/// Packs files as layers; the same input gives the same digest on every machine.
///
/// What gave which layer is remembered in a folder, which can be deleted at any time: then nothing is read that has been
/// packed before. A layer that does not shrink is never written to this machine's disk.
public struct LayerBuilder: Sendable {
    /// Part of every cached layer's key: goes up when the bytes that this packer makes must change.
    public static let revision = 2

    private let cache: FilePath
    private let form: LayerForm
    private let progress: ByteProgress

    /// `progress` gets the bytes hashed.
    public init(cache: FilePath, form: LayerForm = .gzip, progress: @escaping ByteProgress = { _ in }) {
        self.cache = cache
        self.form = form
        self.progress = progress
    }

    /// Finds out what a layer is called.
    ///
    /// `key` names the content of all entries: equal keys mean equal bytes. `time` is that of every file in it. `entries` is asked
    /// only when the layer has not been packed before, or when its bytes are needed.
    public func layer(
        _ kind: Layer.Kind, key: Digest, time: Timestamp, entries: @escaping @Sendable () async throws -> [LayerEntry]
    ) async throws -> Layer {
        let note = LayerNote(
            file: cache.appending(
                Digest.of("\(Self.revision) \(form.rawValue) \(key) \(time.wholeSeconds)").hex + ".json"))
        let known: PackedLayer
        if let found = note.read() {
            known = found
        } else {
            let archive = try TarArchive(try await entries(), time: time)
            known = try await pack(archive)
            try note.write(known)
        }
        let blob = ImageBlob(known.descriptor) {
            if known.isDeflated {
                let file = path(of: known.descriptor.digest)
                if Files.status(file)?.size == known.descriptor.size { return .file(file) }
                guard try await pack(TarArchive(try await entries(), time: time)).descriptor == known.descriptor else {
                    throw ImageFailure.malformed(place: note.file.string, reason: "the layer came out otherwise before")
                }
                return .file(file)
            }
            return .stream(LayerStream(try TarArchive(try await entries(), time: time), crc: known.crc))
        }
        return Layer(kind: kind, diffID: known.diffID, blob: blob)
    }

    private func path(of digest: Digest) -> FilePath { cache.appending("blobs").appending(digest.hex) }

    private func pack(_ archive: TarArchive) async throws -> PackedLayer {
        try await Threads.result { try packHere(archive) }
    }

    private func packHere(_ archive: TarArchive) throws -> PackedLayer {
        if form == .gzip, try Sample.shrinks(archive) { return try deflate(archive) }
        let tar = HashingThread()
        guard form == .gzip else {
            try archive.readPieces { hash($0, tar) }
            let digest = tar.finish()
            return PackedLayer(
                descriptor: Descriptor(mediaType: MediaType.tarLayer, digest: digest, size: archive.size),
                diffID: digest, crc: nil, isDeflated: false)
        }
        var gzip = StoredGzip.Writer(contentSize: archive.size)
        var blob = Digest.Hasher()
        try archive.readPieces { piece in
            hash(piece, tar)
            gzip.append(piece) { blob.update($0) }
        }
        gzip.finish { blob.update($0) }
        return PackedLayer(
            descriptor: Descriptor(
                mediaType: MediaType.gzipLayer, digest: blob.finish(), size: StoredGzip(contentSize: archive.size).size),
            diffID: tar.finish(), crc: gzip.crc, isDeflated: false)
    }

    /// Hashes on the other thread what this one goes on with.
    private func hash(_ piece: UnsafeRawBufferPointer, _ thread: HashingThread) {
        var rest = piece[...]
        while !rest.isEmpty {
            let part = rest.prefix(HashingThread.bufferSize)
            thread.next().copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
            thread.submit(part.count)
            rest = rest.dropFirst(part.count)
        }
        progress(Int64(piece.count))
    }

    private func deflate(_ archive: TarArchive) throws -> PackedLayer {
        let incoming = cache.appending("blobs").appending("incoming-\(UUIDv7())")
        var (tar, blob) = (Digest.Hasher(), Digest.Hasher())
        var size: Int64 = 0
        do {
            try Files.replace(incoming) { file in
                var gzip = DeflatedGzip()
                func write(_ piece: UnsafeRawBufferPointer) throws {
                    blob.update(piece)
                    size += Int64(piece.count)
                    try file.write(all: piece, to: incoming)
                }
                try archive.readPieces { piece in
                    tar.update(piece)
                    try gzip.append(piece, write)
                    progress(Int64(piece.count))
                }
                try gzip.finish(write)
            }
            let digest = blob.finish()
            try Files.rename(incoming, to: path(of: digest))
            return PackedLayer(
                descriptor: Descriptor(mediaType: MediaType.gzipLayer, digest: digest, size: size),
                diffID: tar.finish(), crc: nil, isDeflated: true)
        } catch {
            Files.remove(incoming)
            throw error
        }
    }
}

extension FileDescriptor {
    /// Writes all of it; a failure names the file.
    func write(all piece: UnsafeRawBufferPointer, to path: FilePath) throws {
        do { _ = try writeAll(piece) } catch let errno as Errno { throw FileFailure("write", path, errno) }
    }
}

/// What packing has found out.
struct PackedLayer: Equatable {
    let descriptor: Descriptor
    let diffID: Digest
    /// Of gzip made of stored blocks.
    let crc: UInt32?
    let isDeflated: Bool
}

/// A packed layer, remembered in a file.
private struct LayerNote {
    let file: FilePath

    /// Nil when there is none, or one that cannot be read: then the layer is packed again.
    func read() -> PackedLayer? {
        guard let text = try? Files.readText(file), let json = try? JSON.parse(text), let layer = json["layer"],
            let descriptor = try? Descriptor(layer, place: file.string),
            let diffID = json["diff"]?.string.flatMap({ Digest($0) }), let isDeflated = json["deflated"]?.bool
        else { return nil }
        return PackedLayer(
            descriptor: descriptor, diffID: diffID, crc: json["crc"]?.int.flatMap { UInt32(exactly: $0) },
            isDeflated: isDeflated)
    }

    func write(_ layer: PackedLayer) throws {
        let json: JSON = [
            "layer": layer.descriptor.json, "diff": .string("\(layer.diffID)"),
            "crc": layer.crc.map { .int(Int64($0)) } ?? .null, "deflated": .bool(layer.isDeflated),
        ]
        try Files.replace(file, with: "\(json)\n".utf8)
    }
}

/// A look at some of a layer, to see whether deflating it is worth its time.
enum Sample {
    private static let window = 64 << 10
    private static let windows: Int64 = 16

    /// Whether sixteen pieces, evenly spread, shrink by a quarter; which pieces, follows from the size alone.
    static func shrinks(_ archive: TarArchive) throws -> Bool {
        let stream = LayerStream(archive, crc: nil)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: window, alignment: 16)
        defer { buffer.deallocate() }
        var gzip = DeflatedGzip()
        var (before, after) = (0, 0)
        let count = min(windows, max(1, archive.size / Int64(window)))
        for i in 0..<count {
            let start = (archive.size / count) * i
            var filled = 0
            while filled < window {
                let got = try stream.read(
                    at: start + Int64(filled), into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
                if got == 0 { break }
                filled += got
            }
            before += filled
            gzip.append(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) { after += $0.count }
        }
        gzip.finish { after += $0.count }
        return after * 4 <= before * 3
    }
}
