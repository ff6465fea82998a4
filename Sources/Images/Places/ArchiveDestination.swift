internal import Base
internal import SystemPackage

/// Writes an image into one file: for `docker load`, or as an OCI layout in a tar archive.
struct ArchiveDestination: ImageDestination {
    let form: ImageReference.ArchiveForm
    let file: FilePath
    let name: String?
    let tag: String

    /// A file is written anew.
    func lacking(_ image: Image) async throws -> Set<Digest> { Set(image.blobs.map(\.descriptor.digest)) }

    func store(_ image: Image, _ report: TransferReport) async throws -> Set<Digest> {
        if form == .docker, image.platform == nil {
            throw ImageFailure.unsupported(
                "a bare model is no image that docker could load", hints: ["write it with oci-archive:FILE"])
        }
        let temporary = Files.temporaryName(beside: file)
        let blobs = image.blobs
        report.total(blobs.reduce(0) { $0 + $1.descriptor.size })
        do {
            let first = form == .oci ? layoutHead(image) : []
            try await Threads.result { try write(first, to: temporary, isNew: true) }
            for blob in blobs {
                let content = try await blob.open()
                try await Threads.result {
                    try append(to: temporary) { target in
                        try entry(path(of: blob.descriptor, image), size: blob.descriptor.size, target, temporary) {
                            try blob.check(content, progress: report.moved, $0)
                        }
                    }
                }
            }
            let last = form == .oci ? [] : [("manifest.json", dockerManifest(image))]
            try await Threads.result { try write(last, to: temporary, isNew: false, isLast: true) }
            try Files.rename(temporary, to: file)
        } catch {
            Files.remove(temporary)
            throw error
        }
        return Set(blobs.map(\.descriptor.digest))
    }

    private func path(of blob: Descriptor, _ image: Image) -> String {
        guard form == .docker else { return "blobs/sha256/\(blob.digest.hex)" }
        return blob.digest.hex + (blob.digest == image.configBlob.descriptor.digest ? ".json" : ".tar")
    }

    private func layoutHead(_ image: Image) -> [(String, [UInt8])] {
        let index = OCILayout.index([OCILayout.entry(image.manifest, image.platform, as: tag)])
        return [
            ("oci-layout", Array(OCILayout.version.utf8)), ("index.json", Array(index.canonical.utf8)),
            ("blobs/sha256/\(image.manifest.digest.hex)", image.manifestBytes),
        ]
    }

    private func dockerManifest(_ image: Image) -> [UInt8] {
        let entry: JSON = [
            "Config": .string(path(of: image.configBlob.descriptor, image)),
            "Layers": .array(image.layers.map { .string(path(of: $0.descriptor, image)) }),
            "RepoTags": [.string("\(name ?? "localhost/model"):\(tag)")],
        ]
        return Array(JSON.array([entry]).canonical.utf8)
    }

    // MARK: Bytes

    private func append(to path: FilePath, isNew: Bool = false, _ body: (FileDescriptor) throws -> Void) throws {
        try Files.makeDirectory(path.removingLastComponent())
        let target: FileDescriptor
        do {
            target = try FileDescriptor.open(
                path, .writeOnly,
                options: isNew ? [.create, .exclusiveCreate, .closeOnExec] : [.append, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch let errno as Errno { throw FileFailure("write", path, errno) }
        try target.closeAfter { try body(target) }
    }

    private func write(_ entries: [(String, [UInt8])], to path: FilePath, isNew: Bool, isLast: Bool = false) throws {
        try append(to: path, isNew: isNew) { target in
            for (name, bytes) in entries {
                try entry(name, size: Int64(bytes.count), target, path) { write in
                    try bytes.withUnsafeBytes { try write($0) }
                }
            }
            guard isLast else { return }
            try put([UInt8](repeating: 0, count: 2 * TarHeader.block), target, path)
            guard fsync(target.rawValue) == 0 else { throw FileFailure("flush", path, Errno(rawValue: errno)) }
        }
    }

    private func entry(
        _ name: String, size: Int64, _ target: FileDescriptor, _ path: FilePath,
        _ content: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        let header = TarHeader(name: name, size: size, mode: 0o644, kind: "0", time: Timestamp(seconds: 0))
        try put(header.bytes, target, path)
        try content { try target.write(all: $0, to: path) }
        try put([UInt8](repeating: 0, count: TarHeader.padding(size)), target, path)
    }

    private func put(_ bytes: [UInt8], _ target: FileDescriptor, _ path: FilePath) throws {
        try bytes.withUnsafeBytes { try target.write(all: $0, to: path) }
    }
}
