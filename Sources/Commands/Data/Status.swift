internal import ArgumentParser
internal import Base
internal import GitKit
internal import Pointers

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show data files that are new, changed, or still pointers",
        discussion: """
              $ git ml status
              $ git ml status --json
            """)

    @OptionGroup var json: JSONOption

    func run() async throws {
        let repository = try Repository.current()
        async let both = DatasetCommand(repository).status()
        let items = try await DataStatus(repository).items()
        let datasets = try await both
        if json.isOn {
            for item in items {
                print(
                    [
                        "path": .string(String(decoding: item.path, as: UTF8.self)),
                        "state": .string(item.state.rawValue),
                        "oid": .optional(item.pointer?.digest.description),
                        "size": item.pointer.map { .int($0.size) } ?? .null,
                    ] as JSON)
            }
            for line in datasets.flatMap(\.json) { print(line) }
            return
        }
        for line in datasets.flatMap(\.lines) { print(line) }
        if items.isEmpty {
            if datasets.allSatisfy(\.isClean) { print("All data is here and unchanged.") }
            return
        }
        var table = Table(["state", "size", "file"])
        for item in items {
            table.add([
                item.state.rawValue, item.pointer.map { ByteCount.format($0.size) } ?? "",
                String(decoding: item.path, as: UTF8.self),
            ])
        }
        table.print()
        for line in advice(Set(items.map(\.state))) { print(line) }
    }

    private func advice(_ states: Set<DataStatus.State>) -> [String] {
        var lines: [String] = []
        if states.contains(.missing) { lines.append("`git ml pull` brings what is missing.") }
        if states.contains(.pointer) { lines.append("`git ml checkout` puts the content of pointers in their place.") }
        if !states.isDisjoint(with: [.changed, .untracked]) { lines.append("`git ml add PATH` adds what is new.") }
        if states.contains(.notPointer) {
            lines.append("`git add --renormalize PATH` makes a pointer of what git would keep itself.")
        }
        return lines
    }
}
