internal import Base
public import SystemPackage

/// giftless, an LFS server from PyPI, with its files in a folder; anybody may read and write.
public final class GiftlessServer: Sendable {
    private let process: BackgroundProcess
    private let folder: FilePath
    /// The LFS address of the repository `acme/r`, for `lfs.url`.
    public let url: String
    public var log: FilePath { process.log }

    public init(_ folder: FilePath) async throws {
        self.folder = folder
        let settings: JSON = [
            "LEGACY_ENDPOINTS": false, "AUTH_PROVIDERS": ["giftless.auth.allow_anon:read_write"],
            "TRANSFER_ADAPTERS": [
                "basic": [
                    "factory": "giftless.transfer.basic_streaming:factory",
                    "options": ["storage_options": ["path": .string(folder.appending("objects").string)]],
                ]
            ],
            "PRE_AUTHORIZED_ACTION_PROVIDER": ["options": ["private_key": "a key of this test only, long enough"]],
        ]
        try Files.makeDirectory(folder)
        // JSON is YAML too.
        let file = folder.appending("giftless.yaml")
        try Files.replace(file, with: settings.description.utf8)
        let port = freePort()
        process = try BackgroundProcess(
            Places.python.appending("python3"),
            ["-m", "flask", "--app", "giftless.wsgi_entrypoint", "run", "--host", "127.0.0.1", "--port", "\(port)"],
            log: folder.appending("log"), variables: ["GIFTLESS_CONFIG_FILE": file.string])
        _ = try await process.waitForLog("Running on")
        url = "http://127.0.0.1:\(port)/acme/r.git/info/lfs"
    }

    /// The digests of what it holds, sorted.
    public func objects() throws -> [String] {
        try Files.list(folder.appending(FilePath("objects/acme/r").components)).sorted()
    }
}
