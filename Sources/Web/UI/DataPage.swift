internal import Base
internal import GitKit
internal import Pointers
internal import Runs
internal import Storage

/// All data that HEAD tracks, and which runs used it.
struct DataPage {
    let files: [DataFile]
    let datasets: [(path: String, pointer: DatasetPointer)]
    let uses: [Digest: ContentUse]
    let site: Site
    /// Whether a file's bytes are in this clone.
    let isHere: (Pointer) -> Bool

    var page: SitePage {
        SitePage("Data", .data) {
            HTML("div", ["class": "head"]) {
                HTML("h1") { "Data" }
                HTML("span", ["class": "count"]) { "\(files.count + datasets.count)" }
                HTML.void(
                    "input",
                    [
                        "type": "search", "class": "find", "data-find": "rows", "placeholder": "Find a file",
                        "aria-label": "Find a file",
                    ])
            }
            if files.isEmpty, datasets.isEmpty {
                Piece.empty(
                    "No data is tracked", "Files and folders of any size are kept out of git's history:",
                    command: "git ml track 'data/*.csv'")
            }
            if !datasets.isEmpty { Piece.card("Datasets", count: datasets.count) { datasetTable } }
            if !files.isEmpty { Piece.card("Files", count: files.count) { fileTable } }
        }
    }

    private var datasetTable: HTML {
        Piece.table(
            ["Dataset", "Files", "Size", "Digest"], numbers: [1, 2], caption: "Datasets",
            datasets.map { path, pointer in
                [
                    .text(String(path.dropLast(DatasetPointer.suffix.count)) + (pointer.kind == .folder ? "/" : "")),
                    .text(String(pointer.files)), .text(ByteCount.format(pointer.size)),
                    Piece.code(pointer.manifest.digest.short),
                ]
            })
    }

    private var fileTable: HTML {
        Piece.table(
            ["File", "Size", "Here", "Read by", "Made by", "Digest"], numbers: [1, 3, 4], caption: "Files",
            files.map { file in
                let use = uses[file.pointer.digest]
                return [
                    Piece.link(file.name, to: site.address(.content(file.pointer.digest.hex))),
                    .text(ByteCount.format(file.pointer.size)),
                    isHere(file.pointer) ? .text("yes") : HTML("span", ["class": "quiet"]) { "at the remote" },
                    count(use?.readers), count(use?.writers), Piece.code(file.pointer.digest.short),
                ]
            })
    }

    private func count(_ runs: Int?) -> HTML {
        .text(runs.map { $0 == 0 ? "" : "\($0) run\($0 == 1 ? "" : "s")" } ?? "")
    }
}

/// One content, and the runs that read or made it.
struct ContentPage {
    let digest: Digest
    let runs: [Run]
    let site: Site

    /// The most runs that are listed.
    static let longest = 200

    var page: SitePage {
        SitePage(paths.first ?? digest.short, .data) {
            HTML("div", ["class": "head"]) { HTML("h1") { paths.first ?? digest.short } }
            Piece.card("Summary") {
                Piece.facts([
                    ("Digest", Piece.code(digest.description)), ("Size", .text(size.map(ByteCount.format) ?? "")),
                    ("Also at", .text(paths.dropFirst().joined(separator: ", "))),
                ])
            }
            Piece.card("Runs", count: runs.count) {
                if runs.isEmpty {
                    HTML("p", ["class": "quiet"]) { "No recorded run has read or made it." }
                } else {
                    table
                }
            }
        }
    }

    private var items: [RunItem] { runs.flatMap { $0.inputs + $0.outputs }.filter { $0.digest == digest } }
    private var paths: [String] { Set(items.map(\.path)).sorted() }
    private var size: Int64? { items.first?.size }

    private var table: HTML {
        Piece.table(
            ["Run", "It", "Status", "Started", "By"], caption: "Runs",
            zip(runs, RunLabels.of(runs)).map { run, label in
                [
                    Piece.link(label, to: site.address(.run(run.id))),
                    .text(run.outputs.contains { $0.digest == digest } ? "made it" : "read it"),
                    Piece.status(run.status),
                    Piece.time(run.started), .text(run.user ?? ""),
                ]
            })
    }
}
