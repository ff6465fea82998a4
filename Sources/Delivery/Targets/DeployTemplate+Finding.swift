internal import Base
public import GitKit
public import SystemPackage

extension DeployTemplate {
    /// Finds a template by its name: the protected branch's own `templates/deploy/NAME` goes before the one that came with this program.
    ///
    /// `commit` is one of the protected branch, since a template is policy; `folder` the `templates` of the installation.
    ///
    /// - Throws: ``ManifestFailure`` where there is none, or where one is no Mustache.
    public init(named name: String, in repository: Repository, at commit: ObjectID?, templates folder: FilePath) throws
    {
        try self.init(
            Self.texts(named: name, in: repository, at: commit, templates: folder, suffixes: [".yaml", ".yml"]))
    }

    /// The files of a template, by their names.
    static func texts(
        named name: String, in repository: Repository, at commit: ObjectID?, templates folder: FilePath,
        suffixes: [String]
    ) throws -> [String: String] {
        func isTemplate(_ file: String) -> Bool { suffixes.contains { file.hasSuffix($0) } }
        let own = "templates/deploy/\(name)"
        var texts: [String: String] = [:]
        if let commit, let entry = try repository.entry(own, in: commit), entry.mode == .directory {
            for file in try repository.tree(entry.id).entries where file.mode == .file && isTemplate(file.name) {
                texts[file.name] = String(decoding: try repository.blob(file.id), as: UTF8.self)
            }
        } else {
            let place = folder.appending("deploy").appending(FilePath(name).components)
            for file in (try? Files.list(place)) ?? [] where isTemplate(file) {
                texts[file] = try Files.readText(place.appending(file))
            }
        }
        guard texts.keys.contains(where: { !$0.hasPrefix("_") }) else {
            throw ManifestFailure(
                file: own, reason: "there is no template of this name with a \(suffixes[0]) file in it")
        }
        return texts
    }
}
