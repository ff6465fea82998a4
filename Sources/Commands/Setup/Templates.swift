internal import ArgumentParser
internal import Base
internal import GitKit
internal import SystemPackage

struct Templates: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "templates", abstract: "List the templates that came with git-ml, or copy one to own it",
        subcommands: [TemplateList.self, TemplateCopy.self], defaultSubcommand: TemplateList.self)
}

struct TemplateList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the templates",
        discussion: """
              $ git ml templates list
            """)

    @OptionGroup var json: JSONOption

    func run() throws {
        let templates = try Template.all()
        if json.isOn {
            for template in templates {
                let files = try template.files().map { JSON.string($0.name) }
                print(
                    [
                        "template": .string(template.name), "about": .string(try template.about()),
                        "files": .array(files),
                    ] as JSON)
            }
            return
        }
        var table = Table(["TEMPLATE", "ABOUT"])
        for template in templates { table.add([template.name, try template.about()]) }
        table.print()
    }
}

struct TemplateCopy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy a template into the work tree; from then on it is yours",
        discussion: """
            Without FOLDER a template goes to templates/NAME at the top of the work tree, where `git ml package` and `git ml
            render` look for it before they take their own, and a workflow of GitHub's to .github/workflows. Files that are there and differ are left alone, and so is everything else then, unless --force is
            given. Nothing is recorded: commit the files.

              $ git ml templates copy serving/python
              $ git ml templates copy ci/github-deliver.yml     to .github/workflows/deliver.yml
              $ git ml templates copy ci/gitlab-deliver.yml ci
            """)

    @Argument(help: "The template, as `git ml templates list` shows it.")
    var name: String

    @Argument(help: "The folder that its files go to.")
    var folder: String?

    @Flag(help: "Overwrite files that are there.")
    var force = false

    func run() throws {
        let template = try Template.named(name)
        let files = try template.files().map { (file: $0, place: try place(of: $0, template)) }
        let differing = try files.filter { file, place in
            guard Files.status(place) != nil else { return false }
            return try Files.read(place) != Files.read(file.path)
        }
        if !force, let first = differing.first {
            throw TemplateFailure.wouldOverwrite(first.place.string, others: differing.count - 1)
        }
        for (file, place) in files {
            try Files.replace(place, with: try Files.read(file.path) ?? [], mode: file.isExecutable ? 0o755 : 0o644)
            print(place.string)
        }
    }

    private func place(of file: Template.File, _ template: Template) throws -> FilePath {
        if let folder {
            let path = FilePath(folder)
            let full = path.isAbsolute ? path : Installation.currentFolder.appending(path.components)
            return full.appending(FilePath(file.name).components)
        }
        let top = try Repository.current().requireWorkTree()
        if !template.isFolder, file.name.hasPrefix("github-") {
            return top.appending(".github").appending("workflows").appending(String(file.name.dropFirst(7)))
        }
        let name = FilePath(template.name)
        return top.appending("templates").appending(
            template.isFolder ? name.components : name.removingLastComponent().components
        ).appending(FilePath(file.name).components)
    }
}

/// A template of the installation: a folder of files that belong together, or a file by itself.
struct Template {
    /// Such as `serving/python` or `ci/github-merged-runs.yml`.
    let name: String
    let isFolder: Bool
    private let path: FilePath

    struct File {
        /// Seen from the template's folder.
        let name: String
        let path: FilePath
        let isExecutable: Bool
    }

    /// All there are, by name.
    static func all() throws -> [Template] {
        let root = try Installation.share().appending("templates")
        return try Files.list(root).sorted().flatMap { kind in
            // The files of our own web pages are nothing to copy.
            guard kind != "ui" else { return [Template]() }
            let folder = root.appending(kind)
            guard Files.status(folder)?.kind == .directory else { return [Template]() }
            return try Files.list(folder).sorted().map { child in
                let path = folder.appending(child)
                return Template(
                    name: "\(kind)/\(child)", isFolder: Files.status(path)?.kind == .directory, path: path)
            }
        }
    }

    static func named(_ name: String) throws -> Template {
        let all = try all()
        guard let found = all.first(where: { $0.name == name }) else {
            let nearest = Spelling.nearest(to: name, in: all.map(\.name))
            throw TemplateFailure.none(name, nearest: nearest)
        }
        return found
    }

    func files() throws -> [File] {
        guard isFolder else {
            let name = path.lastComponent?.string ?? name
            return [File(name: name, path: path, isExecutable: (Files.status(path)?.mode ?? 0) & 0o100 != 0)]
        }
        return try Self.files(path, "")
    }

    private static func files(_ folder: FilePath, _ prefix: String) throws -> [File] {
        try Files.list(folder).sorted().flatMap { child -> [File] in
            let path = folder.appending(child)
            guard let status = Files.status(path), child != "__pycache__" else { return [] }
            if status.kind == .directory { return try files(path, "\(prefix)\(child)/") }
            return [File(name: prefix + child, path: path, isExecutable: status.mode & 0o100 != 0)]
        }
    }

    /// The heading of its page, or the first line of its comment.
    func about() throws -> String {
        let file = isFolder ? path.appending("README.md") : path
        let lines = (try Files.readText(file) ?? "").split(whereSeparator: \.isNewline)
        let line = lines.first { $0.hasPrefix("#") && !$0.hasPrefix("#!") } ?? ""
        return String(line.drop { "# ".contains($0) })
    }
}

/// A template that could not be copied.
enum TemplateFailure: Failure {
    case none(String, nearest: String?)
    case wouldOverwrite(String, others: Int)

    var kind: FailureKind {
        switch self {
        case .none: .notFound
        case .wouldOverwrite: .user
        }
    }
    var description: String {
        switch self {
        case .none(let name, _): "there is no template \(name)"
        case .wouldOverwrite(let file, let others):
            "\(file)\(others > 0 ? " and \(others) more" : "") would be overwritten"
        }
    }
    var hints: [String] {
        switch self {
        case .none(_, let nearest):
            [nearest.map { "did you mean \($0)?" } ?? "`git ml templates list` shows them"]
        case .wouldOverwrite: ["look at the difference with `diff`, or overwrite with --force"]
        }
    }
}
