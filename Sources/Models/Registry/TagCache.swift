internal import Base
internal import GitKit
internal import SystemPackage

/// The summaries of tag objects that have been read before, in `.git/ml/cache/tags`.
///
/// A summary follows from its object's id, so nothing in the file ever becomes wrong; it may be removed at any time, and one
/// that is damaged is not believed. Text: a first line with the SHA-256 of the rest, then one line a tag, in the order of the
/// refs when it was written: `id target kind seconds`, and behind tabs the name inside the object, the tagger's name and
/// address.
struct TagCache {
    private var summaries: [TagSummary] = []
    /// Where the next tag's summary most likely is.
    private var next = 0
    /// Where each is; made when the order does not lead to one.
    private var places: [ObjectID: Int]?
    private let file: FilePath

    /// So many tags that are not in the file are read again rather than written to it.
    private static let fewest = 32

    init(_ repository: Repository) {
        file = repository.mlDirectory.appending("cache").appending("tags")
        guard let bytes = try? Files.read(file), let end = bytes.firstIndex(of: 0x0a) else { return }
        guard bytes[..<end].elementsEqual(Self.heading(bytes[(end + 1)...]).utf8) else { return }
        bytes.withUnsafeBufferPointer { summaries = Self.summaries(UnsafeBufferPointer(rebasing: $0[(end + 1)...])) }
    }

    /// The summary of an object; cheapest when tags are asked for in the order of their refs.
    mutating func summary(of id: ObjectID) -> TagSummary? {
        // Tags that have gone since leave small gaps.
        var place = summaries[next...].prefix(4).firstIndex { $0.id == id }
        if place == nil {
            if places == nil {
                places = Dictionary(zip(summaries.map(\.id), summaries.indices)) { $1 }
            }
            place = places?[id]
        }
        guard let place else { return nil }
        next = place + 1
        return summaries[place]
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

    private static func summaries(_ text: UnsafeBufferPointer<UInt8>) -> [TagSummary] {
        var summaries: [TagSummary] = []
        summaries.reserveCapacity(text.count / 120)
        var reader = FieldReader(text)
        // Few people make many tags: their names are made into strings once.
        var people: (by: String?, email: String?) = (nil, nil)
        while !reader.isAtEnd {
            guard let id = ObjectID(digits: reader.field(0x20)), let target = ObjectID(digits: reader.field(0x20)),
                let kind = ObjectKind(rawValue: reader.text(0x20)), let seconds = Int64(reader.text(0x09))
            else { return summaries }
            let name = reader.field(0x09)
            people.by = reader.text(0x09, like: people.by)
            people.email = reader.text(0x0a, like: people.email)
            let isLight = name.first == UInt8(ascii: "-")
            summaries.append(
                TagSummary(
                    id: id, name: isLight ? nil : String(decoding: name.dropFirst(), as: UTF8.self), target: target,
                    targetKind: kind, by: people.by, email: people.email, time: Timestamp(seconds: seconds)))
        }
        return summaries
    }
}

/// Takes a text apart at the bytes that end its fields.
private struct FieldReader {
    private let text: UnsafeBufferPointer<UInt8>
    private var at = 0

    init(_ text: UnsafeBufferPointer<UInt8>) { self.text = text }

    var isAtEnd: Bool { at >= text.count }

    /// The bytes before the next `end`, which is passed over.
    mutating func field(_ end: UInt8) -> UnsafeBufferPointer<UInt8> {
        let start = at
        while at < text.count, text[at] != end { at += 1 }
        let field = UnsafeBufferPointer(rebasing: text[start..<at])
        at = min(at + 1, text.count)
        return field
    }

    mutating func text(_ end: UInt8) -> String { String(decoding: field(end), as: UTF8.self) }

    /// The same, nil when it is empty; `last` itself when it has the same bytes.
    mutating func text(_ end: UInt8, like last: String?) -> String? {
        let field = field(end)
        if field.isEmpty { return nil }
        if let last, last.utf8.count == field.count, last.utf8.elementsEqual(field) { return last }
        return String(decoding: field, as: UTF8.self)
    }
}
