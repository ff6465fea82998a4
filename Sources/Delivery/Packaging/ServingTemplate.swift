internal import Base
internal import GitKit
internal import Images
internal import SystemPackage

/// The server of an image: the repository's own copy of a template, else the one that came with this program.
///
/// A template with a file `entrypoint` is started by it and goes into the image whole, but for its `README.md`; any other is a
/// Python server, `server.py`, of which only the `.py` files are taken.
struct ServingTemplate {
    private static let folder = "app/serve"
    private static let entry = "entrypoint"

    let items: [CommitFiles.Item]
    let entrypoint: [String]

    init(_ name: String, _ files: CommitFiles, _ templates: FilePath) throws {
        let own = "templates/serving/\(name)"
        var found: [CommitFiles.Item]
        if try files.repository.entry(own, in: files.commit)?.mode == .directory {
            found = try files.contents(own, below: Self.folder)
        } else {
            let folder = templates.appending("serving").appending(FilePath(name).components)
            found = try Self.installed(folder, Self.folder)
        }
        let start = "\(Self.folder)/\(Self.entry)"
        if found.contains(where: { $0.path == start }) {
            found.removeAll { $0.path == "\(Self.folder)/README.md" }
            entrypoint = ["/\(start)"]
        } else {
            found.removeAll { !$0.path.hasSuffix(".py") }
            entrypoint = ["python3", "/\(Self.folder)/server.py"]
        }
        guard !found.isEmpty else { throw Refusal("there is no template serving/\(name)") }
        items = found.map { item in
            // Whether the bit survived a copy or not, it is what starts the image.
            item.path == start ? CommitFiles.Item(path: start, source: item.source, isExecutable: true) : item
        }
    }

    private static func installed(_ folder: FilePath, _ name: String) throws -> [CommitFiles.Item] {
        try Files.list(folder).flatMap { child -> [CommitFiles.Item] in
            let path = folder.appending(child)
            guard let status = Files.status(path) else { return [] }
            switch status.kind {
            case .directory: return try installed(path, "\(name)/\(child)")
            case .file:
                return [CommitFiles.Item(path: "\(name)/\(child)", bytes: try Files.read(path) ?? [])]
            case .link, .other: return []
            }
        }
    }
}
