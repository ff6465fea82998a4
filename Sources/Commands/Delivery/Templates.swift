internal import ArgumentParser
internal import Base
internal import GitKit
internal import SystemPackage

struct Templates: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "templates",
        abstract: "Templates that a team copies and owns",
        discussion: """
            Servers, manifests, CI workflows, and the runner's own manifests and units. What stands in a repository's own
            templates/deploy/NAME and templates/serving/NAME on the protected branch goes before what came with git-ml.

              $ git ml templates list
              $ git ml templates copy deploy/kubernetes
              $ git ml templates copy ci/github-deliver.yml     to .github/workflows/deliver.yml
            """, subcommands: [List.self, Copy.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the templates",
            discussion: """
                  $ git ml templates list
                  $ git ml templates list --json
                """)

        @OptionGroup var json: JSONOption

        func run() throws {
            let folder = try Installation.share().appending("templates")
            var table = Table(["TEMPLATE", "FILES"])
            for name in try Templates.names(below: folder) {
                let files = try Templates.files(of: folder.appending(FilePath(name).components))
                if json.isOn {
                    let line: JSON = [
                        "template": .string(name), "files": .array(files.map { .string($0.string) }),
                        "target": .string(Templates.target(of: name)),
                    ]
                    print(line)
                } else {
                    table.add([name, files.map(\.string).joined(separator: " ")])
                }
            }
            if !json.isOn { table.print() }
        }
    }

    struct Copy: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Copy a template into this work tree",
            discussion: """
                Files that are there already are left alone, and the exit status is 1, unless --force is given.

                  $ git ml templates copy deploy/kubernetes
                  $ git ml templates copy ci/gitlab-deliver.yml --to ci/deliver.yml

                Exit statuses: 1 a file is there already, 3 no such template.
                """)

        @Argument(help: "A name that `git ml templates list` prints.")
        var name: String

        @Option(help: "Where to, from the top of the work tree.")
        var to: String?

        @Flag(help: "Replace files that are there.")
        var force = false

        func run() throws {
            let folder = try Installation.share().appending("templates")
            let known = try Templates.names(below: folder)
            guard known.contains(name) else { throw TemplateFailure.unknown(name, known: known) }
            let top = try Repository.current().requireWorkTree()
            let place = FilePath(to ?? Templates.target(of: name))
            guard !place.isAbsolute, !place.components.contains(where: { $0.kind != .regular }) else {
                throw ValidationError("--to is a path from the top of the work tree, without . and ..")
            }
            let source = folder.appending(FilePath(name).components)
            let files = try Templates.files(of: source)
            // A template that is one file has no name below itself.
            let pairs = files.map { file in
                files == [FilePath(name).lastComponent.map { FilePath($0.string) } ?? file]
                    && Files.status(source)?.kind == .file
                    ? (source, place) : (source.appending(file.components), place.appending(file.components))
            }
            if !force, let there = pairs.first(where: { Files.exists(top.appending($0.1.components)) }) {
                throw TemplateFailure.exists(there.1.string)
            }
            for (from, to) in pairs {
                try Files.replace(top.appending(to.components), with: Files.read(from) ?? [])
                print("wrote \(to)")
            }
        }
    }

    /// Folders of files that belong together, and single files of `ci` and `review`.
    static func names(below folder: FilePath) throws -> [String] {
        try Files.list(folder).sorted().flatMap { area in
            try Files.list(folder.appending(area)).sorted().map { "\(area)/\($0)" }
        }
    }

    /// The files of a template, from its folder on; its own name where it is one file.
    static func files(of path: FilePath) throws -> [FilePath] {
        guard Files.status(path)?.kind == .directory else {
            return path.lastComponent.map { [FilePath($0.string)] } ?? []
        }
        return try Files.list(path).sorted().filter { !$0.hasSuffix(".pyc") && $0 != "__pycache__" }.map {
            FilePath($0)
        }
    }

    /// Where a template belongs.
    static func target(of name: String) -> String {
        let file = name.split(separator: "/").last.map(String.init) ?? name
        if name.hasPrefix("ci/github-") || name.hasPrefix("review/github-") {
            return ".github/workflows/" + file.dropFirst("github-".count)
        }
        return name.hasSuffix(".gocd.yaml") ? file : "templates/\(name)"
    }
}

/// Why a template was not copied.
enum TemplateFailure: Failure {
    case unknown(String, known: [String])
    case exists(String)

    var kind: FailureKind { if case .unknown = self { .notFound } else { .user } }
    var description: String {
        switch self {
        case .unknown(let name, _): "there is no template “\(name)”"
        case .exists(let path): "\(path) is there already"
        }
    }
    var hints: [String] {
        switch self {
        case .unknown(let name, let known):
            [
                Spelling.nearest(to: name, in: known).map { "did you mean \($0)?" }
                    ?? "`git ml templates list` names them"
            ]
        case .exists: ["--force replaces it"]
        }
    }
}
