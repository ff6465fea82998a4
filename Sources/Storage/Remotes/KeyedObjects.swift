public import Base
public import SystemPackage
internal import Transport

/// What other programs have put at a remote under names of their own, for reading only.
///
/// Nothing is verified here: who reads knows what the bytes must be.
public struct KeyedObjects: Sendable {
    private let source: any KeyedSource
    private let retry = Retry()

    /// The address without secrets.
    public var address: String { source.address }

    /// The place that an address names, as ``objectRemote(_:environment:)`` does; `settings` is for `ssh://`.
    public init(
        _ address: String, environment: [String: String] = Daemon.currentEnvironment(),
        settings: LFSSettings = LFSSettings()
    ) throws {
        guard let scheme = address.firstRange(of: "://") else {
            guard address.hasPrefix("/") else { throw StorageFailure.unsupportedRemote(address) }
            source = KeyedDirectory(folder: FilePath(address))
            return
        }
        let rest = address[scheme.upperBound...]
        switch address[..<scheme.lowerBound].lowercased() {
        case "file" where rest.hasPrefix("/"):
            source = KeyedDirectory(folder: FilePath(NetworkAddress.decode(String(rest))))
        case "http", "https": source = try KeyedWeb(address)
        case "s3": source = try S3Remote.amazon(BucketAddress(address, rest), environment)
        case "gs": source = try S3Remote.google(BucketAddress(address, rest), environment)
        case "az": source = try AzureRemote(BucketAddress(address, rest), environment)
        case "ssh", "sftp": source = try SSHRemote(address, settings: settings)
        default: throw StorageFailure.unsupportedRemote(NetworkAddress.withoutSecrets(address))
        }
    }

    /// The size of what has that name below the address; nil when there is nothing.
    public func size(_ key: String) async throws -> Int64? {
        try await retry.run { _ in try await source.size(ofKey: key) }
    }

    /// Appends to `file` from its present length on, until it has `size` bytes.
    public func download(
        _ key: String, size: Int64, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws {
        try await retry.run { gotFurther in
            let before = Files.status(file)?.size ?? 0
            do { try await source.download(key: key, size: size, to: file, progress: progress) } catch {
                if (Files.status(file)?.size ?? 0) > before { gotFurther() }
                throw error
            }
        }
    }
}

/// A remote that can be read by any name.
protocol KeyedSource: Sendable {
    var address: String { get }
    func size(ofKey key: String) async throws -> Int64?
    func download(key: String, size: Int64, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void)
        async throws
}

private struct KeyedDirectory: KeyedSource {
    let folder: FilePath
    var address: String { "file://\(folder)" }

    func size(ofKey key: String) throws -> Int64? {
        guard Files.exists(folder) else { throw FileFailure("read", folder, .noSuchFileOrDirectory) }
        let file = folder.appending(FilePath(key).components)
        guard let status = Files.status(file), status.kind == .file else { return nil }
        return status.size
    }

    func download(key: String, size: Int64, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void) throws {
        try Files.append(contentsOf: folder.appending(FilePath(key).components), to: file, progress: progress)
    }
}

private struct KeyedWeb: KeyedSource {
    private let base: String
    let address: String

    init(_ url: String) throws {
        guard NetworkAddress(url) != nil else {
            throw StorageFailure.unsupportedRemote(NetworkAddress.withoutSecrets(url))
        }
        base = url.hasSuffix("/") ? url : url + "/"
        address = NetworkAddress.withoutSecrets(url)
    }

    private func request(_ method: String, _ key: String) -> HTTPRequest {
        var request = HTTPRequest(method, base + NetworkAddress.encode(key, keep: "/"))
        request.redirects = .followed
        request.timeout = nil
        return request
    }

    func size(ofKey key: String) async throws -> Int64? {
        let answer = try await RemoteFailure.send(request("HEAD", key), address: address)
        if [404, 410].contains(answer.status) { return nil }
        guard answer.isSuccess, let size = answer.headers["content-length"].flatMap({ Int64($0) }) else {
            throw RemoteFailure(answer, address: address)
        }
        return size
    }

    func download(
        key: String, size: Int64, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var request = request("GET", key)
        request.sink = .file(file, size: size)
        request.progress = progress
        let answer = try await RemoteFailure.send(request, address: address)
        guard answer.isSuccess else { throw RemoteFailure(answer, address: address) }
    }
}

extension S3Remote: KeyedSource {
    func size(ofKey key: String) async throws -> Int64? {
        let answer = try await client.send(S3Client.Call("HEAD", prefix + key))
        switch answer.status {
        case 200: return answer.headers["content-length"].flatMap { Int64($0) }
        case 404: return nil
        default: throw client.failure(answer)
        }
    }

    func download(
        key: String, size: Int64, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var call = S3Client.Call("GET", prefix + key)
        call.sink = .file(file, size: size)
        call.progress = progress
        let answer = try await client.send(call)
        guard answer.isSuccess else { throw client.failure(answer) }
    }
}

extension AzureRemote: KeyedSource {
    func size(ofKey key: String) async throws -> Int64? {
        let answer = try await send(Call("HEAD", prefix + key))
        switch answer.status {
        case 200: return answer.headers["content-length"].flatMap { Int64($0) }
        case 404 where answer.headers["x-ms-error-code"] != "ContainerNotFound": return nil
        default: throw failure(answer)
        }
    }

    func download(
        key: String, size: Int64, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        var call = Call("GET", prefix + key)
        call.sink = .file(file, size: size)
        call.progress = progress
        let answer = try await send(call)
        guard answer.isSuccess else { throw failure(answer) }
    }
}

extension SSHRemote: KeyedSource {
    func size(ofKey key: String) async throws -> Int64? {
        let path = "\(folder)/\(key)"
        return try await run { session in try session.size(session.stat(path)) }
    }

    func download(
        key: String, size: Int64, to file: FilePath, progress: @escaping @Sendable (Int64) -> Void
    ) async throws {
        let path = "\(folder)/\(key)"
        try await run { session in try session.download(path, to: file, size: size, progress: progress) }
    }
}
