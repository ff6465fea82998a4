internal import Base
internal import GitKit
internal import Runs
internal import SystemPackage

/// The end of what a run has printed.
enum LogTail {
    case lines(String, isCut: Bool)
    /// It is neither here nor at the remote.
    case missing

    private static let longest: Int64 = 200_000

    init(_ file: FilePath) throws {
        let size = Files.status(file)?.size ?? 0
        let bytes = try Files.read(file, from: max(0, size - Self.longest))
        self = .lines(TerminalText.plain(String(decoding: bytes, as: UTF8.self)), isCut: size > Self.longest)
    }
}

/// What was written for a terminal.
enum TerminalText {
    /// The text without what colours it or moves the cursor; of a line that was written over, what stood there last.
    static func plain(_ text: String) -> String {
        var out = ""
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            // A line end of two marks would be one character, and no line feed.
            if scalar == "\r", rest.first == "\n" { continue }
            guard scalar == "\u{1b}" else {
                out.unicodeScalars.append(scalar)
                continue
            }
            guard rest.first == "[" else { continue }
            // ECMA-48: parameters and intermediates, then one letter that ends the sequence.
            rest = rest.dropFirst().drop { (0x20...0x3f).contains($0.value) }.dropFirst()
        }
        return out.split(separator: "\n", omittingEmptySubsequences: false).map {
            String($0.split(separator: "\r").last ?? "")
        }.joined(separator: "\n")
    }
}

/// What a run's code changes, against the commit before it.
struct CodeChange {
    let lines: [String]
    let isCut: Bool

    private static let longest = 2000

    /// Nil when git cannot tell, such as in a shallow clone.
    static func of(_ run: Run, in repository: Repository) async -> CodeChange? {
        guard let commit = try? repository.commit(run.commit), let base = commit.parents.first,
            let bytes = try? await repository.git.bytes([
                "diff", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", base.hex, commit.id.hex, "--",
            ])
        else { return nil }
        let lines = bytes.prefix(1 << 20).split(separator: 0x0a, omittingEmptySubsequences: false)
        return CodeChange(
            lines: lines.prefix(longest).map { String(decoding: $0, as: UTF8.self) }, isCut: lines.count > longest)
    }

    var html: HTML {
        HTML("pre", ["class": "diff", "tabindex": "0"]) {
            for line in lines {
                HTML("span", ["class": Self.name(line)]) { HTML.lines(line) }
            }
        }
    }

    private static func name(_ line: String) -> String? {
        if line.hasPrefix("diff --git") { return "file" }
        if line.hasPrefix("@@") { return "place" }
        if line.hasPrefix("+") && !line.hasPrefix("+++") { return "added" }
        if line.hasPrefix("-") && !line.hasPrefix("---") { return "removed" }
        return nil
    }
}
