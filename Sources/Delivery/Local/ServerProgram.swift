internal import Base
internal import Images
internal import SystemPackage

/// How the server of an unpacked image is started on this machine.
///
/// Our Python server takes any port that is free and writes down which. Of any other image the entrypoint is started, with the
/// arguments that the image has for it, and is told its port as in a container: by `HOST` and `PORT`.
struct ServerProgram {
    let program: FilePath
    let arguments: [String]
    /// Laid over the environment of every server.
    let variables: [String: String]
    /// Nil: it is in the port file soon.
    let port: Int?

    /// What a release keeps of its image's config.
    private static let file = "start.json"
    private static let ours = ["python3", "/app/serve/server.py"]

    /// Writes down in an unpacked image what starts it.
    static func note(_ package: BuiltPackage, in root: FilePath) throws {
        let words = package.entrypoint + package.command
        try Files.replace(root.appending(file), with: "\(JSON.array(words.map { .string($0) }))\n".utf8)
    }

    /// Whether an image is served by our Python server, or a copy of it.
    static func isOurs(_ package: BuiltPackage) -> Bool { package.entrypoint == ours }

    /// The program of an unpacked image; one that an older version unpacked is ours.
    init(_ root: FilePath, portFile: FilePath) throws {
        let json = try Files.readText(root.appending(Self.file)).map { try JSON.parse($0) }
        let words = json?.array?.compactMap(\.string) ?? Self.ours
        func inside(_ path: String) -> FilePath { root.appending(FilePath(path).components) }
        guard words.starts(with: Self.ours) else {
            guard let first = words.first else { throw ProbeFailure("the image names no program to start") }
            let port = try FreePort.find()
            program = first.hasPrefix("/") ? inside(first) : try Self.find(first)
            arguments = Array(words.dropFirst())
            variables = ["HOST": "127.0.0.1", "PORT": "\(port)"]
            self.port = port
            return
        }
        program = try Self.find("python3")
        arguments = [
            inside(Self.ours[1]).string, "--host", "127.0.0.1", "--port", "0", "--port-file", portFile.string,
        ]
        (variables, port) = ([:], nil)
    }

    private static func find(_ name: String) throws -> FilePath {
        guard let program = ChildProcess.find(name) else { throw ProcessFailure.notFound(program: name) }
        return program
    }
}

extension BuiltPackage {
    fileprivate var entrypoint: [String] { words("Entrypoint") }
    fileprivate var command: [String] { words("Cmd") }

    private func words(_ key: String) -> [String] {
        image.config["config"]?[key]?.array?.compactMap(\.string) ?? []
    }
}
