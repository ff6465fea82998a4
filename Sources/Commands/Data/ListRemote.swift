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
        var present: Set<Pointer>?
        do { present = try await other.present(rows.map(\.pointer)) } catch let failure as any Failure {
            Terminal.error("git-ml: cannot tell what content is there: \(Terminal.safe(failure.description))")
        }
        let datasets = selection.entries.compactMap { entry in
            entry.dataset.map {
                (name: String(name(entry, selection).dropLast(DatasetPointer.suffix.count)), pointer: $0)
            }
        }
        if json {
            for set in datasets {
                print(
                    JSON.object([
                        .init("path", .string(set.name)), .init("kind", "dataset"),
                        .init("oid", .string(set.pointer.manifest.digest.description)),
                        .init("size", .int(set.pointer.size)), .init("present", .null),
                    ]))
            }
            for row in rows {
                print(
                    JSON.object([
                        .init("path", .string(row.name)), .init("kind", "file"),
                        .init("oid", .string(row.pointer.digest.description)), .init("size", .int(row.pointer.size)),
                        .init("present", present.map { .bool($0.contains(row.pointer)) } ?? .null),
                    ]))
            }
        } else if rows.isEmpty, datasets.isEmpty {
            print("No data files.")
        } else {
            var table = Table(["oid", "size", "here", "file"])
            for row in rows {
                table.add([
                    row.pointer.digest.short, ByteCount.format(row.pointer.size),
                    present.map { $0.contains(row.pointer) ? "yes" : "no" } ?? "?", row.name,
                ])
            }
            for set in datasets {
                table.add([
                    set.pointer.manifest.digest.short, ByteCount.format(set.pointer.size), "?",
                    "\(set.name)/ (\(set.pointer.files) files)",
                ])
            }
            table.print()
        }
    }

    private func name(_ entry: OriginEntry, _ selection: OriginSelection) -> String {
        [selection.path, String(decoding: entry.path, as: UTF8.self)].filter { !$0.isEmpty }.joined(separator: "/")
    }
}
