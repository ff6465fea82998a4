public import Base

/// A finished image: its manifest, and a way to all its blobs.
public struct Image: Sendable {
    public let manifest: Descriptor
    /// Nil for an artifact, which is for all.
    public let platform: Platform?
    /// Those of the base first.
    public let layers: [Layer]
    public let config: JSON
    /// What is to stand beside it wherever it goes; nil: nothing.
    public var attachments: Attachments?
    let manifestBytes: [UInt8]
    let configBlob: ImageBlob

    /// All its bytes, shared layers included.
    public var size: Int64 { blobs.reduce(manifest.size) { $0 + $1.descriptor.size } }

    /// Each blob once, the config last.
    var blobs: [ImageBlob] {
        var seen: Set<Digest> = []
        return (layers.map(\.blob) + [configBlob]).filter { seen.insert($0.descriptor.digest).inserted }
    }
}

/// What an image is besides its layers.
public struct ImageSettings: Sendable {
    public var created: Timestamp
    public var entrypoint: [String]
    /// Arguments of the entrypoint.
    public var command: [String]
    public var environment: [String]
    public var ports: [Int]
    public var labels: [String: String]
    public var annotations: [String: String]

    public init(
        created: Timestamp, entrypoint: [String], command: [String] = [], environment: [String] = [], ports: [Int] = [],
        labels: [String: String] = [:], annotations: [String: String] = [:]
    ) {
        self.created = created
        self.entrypoint = entrypoint
        self.command = command
        self.environment = environment
        self.ports = ports
        self.labels = labels
        self.annotations = annotations
    }
}

/// Lays layers over a base and writes config and manifest, canonically: sorted keys, no spaces.
public struct ImageBuilder: Sendable {
    private static let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    private let base: BaseImage?
    private let platform: Platform

    /// An image on a base, or on nothing.
    public init(base: BaseImage?, platform: Platform) {
        self.base = base
        self.platform = base?.platform ?? platform
    }

    /// Makes the image; `layers` are those above the base.
    public func image(_ layers: [Layer], _ settings: ImageSettings) throws -> Image {
        let all = (base?.layers ?? []) + layers
        let config = config(all, layers, settings)
        let configBlob = ImageBlob(Array(config.canonical.utf8), mediaType: MediaType.config)
        let manifest: JSON = [
            "schemaVersion": 2, "mediaType": .string(MediaType.manifest), "config": configBlob.descriptor.json,
            "layers": .array(all.map(\.descriptor.json)), "annotations": .sorted(settings.annotations),
        ]
        let bytes = Array(manifest.canonical.utf8)
        return Image(
            manifest: Descriptor(of: bytes, mediaType: MediaType.manifest), platform: platform, layers: all,
            config: config, manifestBytes: bytes, configBlob: configBlob)
    }

    /// The base's config with ours laid over it; what we do not know of it is kept.
    private func config(_ all: [Layer], _ own: [Layer], _ settings: ImageSettings) -> JSON {
        let created = JSON.string(settings.created.wholeSeconds)
        var top = base?.config ?? [:]
        top.set("created", created)
        top.set("os", .string(platform.os))
        top.set("architecture", .string(platform.architecture))
        if let variant = platform.variant { top.set("variant", .string(variant)) }
        top.set("config", runtime(settings))
        top.set("rootfs", ["type": "layers", "diff_ids": .array(all.map { .string("\($0.diffID)") })])
        top.set(
            "history",
            .array(
                (base?.history ?? [])
                    + own.map { ["created": created, "created_by": .string("git-ml: \($0.kind.rawValue)")] }))
        return top
    }

    private func runtime(_ settings: ImageSettings) -> JSON {
        var runtime = base?.config["config"] ?? [:]
        if runtime.members == nil { runtime = [:] }
        runtime.set("Entrypoint", .array(settings.entrypoint.map { .string($0) }))
        // The base's arguments are those of its own entrypoint.
        runtime.set("Cmd", settings.command.isEmpty ? nil : .array(settings.command.map { .string($0) }))
        runtime.set("Env", .array(environment(runtime["Env"]?.array ?? [], settings.environment).map { .string($0) }))
        var ports = runtime["ExposedPorts"] ?? [:]
        for port in settings.ports { ports.set("\(port)/tcp", [:]) }
        runtime.set("ExposedPorts", ports)
        runtime.set("Labels", .sorted((runtime["Labels"]?.texts ?? [:]).merging(settings.labels) { $1 }))
        if runtime["User"]?.string ?? "" == "" { runtime.set("User", "65532:65532") }
        runtime.set("WorkingDir", "/app")
        return runtime
    }

    /// The base's variables in their order, with ours in the place of those of the same name, or behind them.
    private func environment(_ base: [JSON], _ own: [String]) -> [String] {
        var values = base.compactMap(\.string)
        if self.base != nil, !values.contains(where: { $0.hasPrefix("PATH=") }) { values.append("PATH=\(Self.path)") }
        for value in own {
            let name = value.prefix { $0 != "=" } + "="
            if let i = values.firstIndex(where: { $0.hasPrefix(name) }) {
                values[i] = value
            } else {
                values.append(value)
            }
        }
        return values
    }
}

extension JSON {
    /// Sets a member of an object, in its place where there is one, or removes it; a value that is no object stays as it is.
    mutating func set(_ key: String, _ value: JSON?) {
        guard case .object(var members) = self else { return }
        let index = members.firstIndex { $0.key == key }
        switch (index, value) {
        case (let index?, let value?): members[index] = Member(key, value)
        case (let index?, nil): members.remove(at: index)
        case (nil, let value?): members.append(Member(key, value))
        case (nil, nil): break
        }
        self = .object(members)
    }
}
