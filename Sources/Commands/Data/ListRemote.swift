internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers
internal import Storage
internal import SystemPackage

/// `git ml ls URL [PATH]`: what data another repository has.
struct ListRemote {
    let url: String
    let path: String?
    let revision: String?
    let json: Bool

    /// Whether a word names another repository, and no folder of this one.
    static func isMeant(_ word: String) -> Bool {
        guard OriginAddress.names(word) else { return false }
        guard let here = try? Repository.current(), let there = try? Repository(FilePath(word)) else { return true }
        return here.gitDirectory != there.gitDirectory
    }

    func run() async throws {
        let address = try OriginAddress(url, from: Files.currentDirectory() ?? "/")
        let other = try await OtherRepository.open(address, revision: revision, smallBlobs: true)
        let selection = try await other.select(path ?? "")
        let rows = selection.entries.compactMap { entry in
            entry.pointer.map { (name: name(entry, selection), pointer: $0) }
        }
        let datasets = selection.entries.compactMap { entry in
            entry.dataset.map {
                (name: String(name(entry, selection).dropLast(DatasetPointer.suffix.count)), pointer: $0)
            }
        }
        var present: (files: Set<Pointer>, datasets: Set<DatasetPointer>)?
        do {
            present = (
                try await other.present(rows.map(\.pointer)), try await other.present(datasets.map(\.pointer))
            )
        } catch let failure as any Failure {
            Terminal.error("git-ml: cannot tell what content is there: \(Terminal.safe(failure.description))")
        }
        var table = Table(["oid", "size", "here", "file"])
        for set in datasets {
            let isPresent = present?.datasets.contains(set.pointer)
            if json {
                print(DatasetCommand.json(set.name, set.pointer, isPresent: isPresent))
            } else {
                table.add([
                    set.pointer.manifest.digest.short, ByteCount.format(set.pointer.size), word(isPresent),
                    set.name + (set.pointer.kind == .folder ? "/ (\(set.pointer.files) files)" : " (dataset)"),
                ])
            }
        }
        for row in rows {
            let isPresent = present?.files.contains(row.pointer)
            if json {
                print(
                    DataFileLine.json(
                        Array(row.name.utf8), kind: "file", pointer: row.pointer, isPresent: isPresent))
            } else {
                table.add([
                    row.pointer.digest.short, ByteCount.format(row.pointer.size), word(isPresent), row.name,
                ])
            }
        }
        if json { return }
        if table.isEmpty { print("No data files.") } else { table.print() }
    }

    private func word(_ isPresent: Bool?) -> String { isPresent.map { $0 ? "yes" : "no" } ?? "?" }

    private func name(_ entry: OriginEntry, _ selection: OriginSelection) -> String {
        [selection.path, String(decoding: entry.path, as: UTF8.self)].filter { !$0.isEmpty }.joined(separator: "/")
    }
}
