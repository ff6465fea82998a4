internal import Base
internal import GitKit
internal import SystemPackage

/// The summaries of tag objects that have been read before, in `.git/ml/cache/tags`.
///
/// A summary follows from its object's id, so nothing in the file ever becomes wrong; it may be removed at any time, and one
/// that is damaged is not believed. Text: a first line with the SHA-256 of the rest, then one line a tag, sorted by nothing:
/// `id target kind seconds`, and behind tabs the name inside the object, the tagger's name and address.
struct TagCache {
    private(set) var summaries: [ObjectID: TagSummary] = [:]
    private let file: FilePath

    /// So many tags that are not in the file are read again rather than written to it.
    private static let fewest = 32

    init(_ repository: Repository) {
        file = repository.mlDirectory.appending("cache").appending("tags")
        guard let bytes = try? Files.read(file), let end = bytes.firstIndex(of: 0x0a) else { return }
        let body = bytes[(end + 1)...]
        guard bytes[..<end].elementsEqual(Self.heading(body).utf8) else { return }
        for line in body.split(separator: 0x0a) {
            guard let summary = Self.summary(line) else { continue }
            summaries[summary.id] = summary
        }
    }

    /// Keeps what was read for the next process, without what no ref points at any more.
    ///
    /// A repository that cannot be written to goes without.
    func save(_ all: [TagSummary], read: Int) {
        guard read > Self.fewest else { return }
        var body: [UInt8] = []
        body.reserveCapacity(all.count * 140)
        for summary in all { if let line = Self.line(summary) { body += line.utf8 } }
        try? Files.replace(file, with: Array((Self.heading(body[...]) + "\n").utf8) + body)
    }

    private static func heading(_ body: ArraySlice<UInt8>) -> String { "git-ml tags 1 \(Digest.of(body).hex)" }

    private static func line(_ summary: TagSummary) -> String? {
        let words = [summary.name ?? "", summary.by ?? "", summary.email ?? ""]
        guard !words.contains(where: { $0.utf8.contains(0x09) || $0.utf8.contains(0x0a) }) else { return nil }
        return "\(summary.id.hex) \(summary.target.hex) \(summary.targetKind.rawValue)"
            + " \(summary.time.microseconds / 1_000_000)\t\(summary.isLight ? "-" : "+")\(words[0])\t\(words[1])\t\(words[2])\n"
    }

    private static func summary(_ line: ArraySlice<UInt8>) -> TagSummary? {
        func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
        let parts = line.split(separator: 0x09, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        let words = parts[0].split(separator: 0x20)
        guard words.count == 4, let id = ObjectID(text(words[0])), let target = ObjectID(text(words[1])),
            let kind = ObjectKind(rawValue: text(words[2])), let seconds = Int64(text(words[3]))
        else { return nil }
        let isLight = parts[1].first == UInt8(ascii: "-")
        return TagSummary(
            id: id, name: isLight ? nil : text(parts[1].dropFirst()), target: target, targetKind: kind,
            by: parts[2].isEmpty ? nil : text(parts[2]), email: parts[3].isEmpty ? nil : text(parts[3]),
            time: Timestamp(seconds: seconds))
    }
}
