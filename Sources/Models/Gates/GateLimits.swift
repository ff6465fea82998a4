internal import Base

/// `limits:` of a gate's command: `{time: 10m, memory: 4GB, processes: 200, file_size: 2GB, network: true}`.
public struct GateLimits: Sendable, Equatable {
    /// How long it may take, with all that it starts; nil: half an hour.
    public var time: Duration?
    /// The most memory that its processes may hold together, in bytes; nil: no limit.
    public var memory: Int64?
    /// The most processes at a time, threads included where the kernel counts them; nil: 4,096.
    public var processes: Int64?
    /// The most bytes in one file that it writes; nil: 100 GB.
    public var fileSize: Int64?
    /// Whether a confined command has a network: see ``Confinement``.
    public var allowsNetwork = false

    public init() {}

    init(_ node: YAMLNode) throws {
        let fields = try node.fields(["time", "memory", "processes", "file_size", "network"])
        if let node = fields["time"] {
            let time = try node.duration()
            guard time > .zero else { throw node.failure("a time limit is more than nothing") }
            self.time = time
        }
        memory = try fields["memory"].map { try Self.size($0, "memory") }
        fileSize = try fields["file_size"].map { try Self.size($0, "file_size") }
        if let node = fields["processes"] {
            let count = try node.int()
            guard count > 0 else { throw node.failure("“processes” is a number from 1 on") }
            processes = count
        }
        allowsNetwork = try fields["network"]?.bool() ?? false
    }

    private static func size(_ node: YAMLNode, _ name: String) throws -> Int64 {
        guard let bytes = ByteCount.parse(try node.text()), bytes >= 1_000_000 else {
            throw node.failure("“\(name)” must be a size such as 4GB, from 1MB on")
        }
        return bytes
    }
}
