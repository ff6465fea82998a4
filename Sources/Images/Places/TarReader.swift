internal import Base
internal import SystemPackage

/// Lists a tar archive: names, and where their contents lie in the file.
///
/// What `docker save`, skopeo, podman, GNU tar and Python write: ustar, pax and GNU names, sizes in base 256, links.
struct TarReader {
    struct Member: Equatable {
        let start: Int64
        let size: Int64
    }

    let members: [String: Member]

    init(_ path: FilePath) throws {
        func broken(_ reason: String) -> ImageFailure { .malformed(place: path.string, reason: reason) }
        let file: FileDescriptor
        do { file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec) } catch let errno as Errno {
            throw FileFailure("read", path, errno)
        }
        defer { try? file.close() }
        var (members, links): ([String: Member], [String: String]) = ([:], [:])
        var (longName, longLink, longSize): (String?, String?, Int64?) = (nil, nil, nil)
        var at: Int64 = 0
        let end = try file.seek(offset: 0, from: .end)
        while let block = try Self.read(file, at, 512), block.count == 512, block.contains(where: { $0 != 0 }) {
            guard let header = Header(block) else {
                throw broken(
                    block.starts(with: [0x1f, 0x8b])
                        ? "it is compressed: decompress it with `gunzip` first" : "it is no tar archive")
            }
            at += 512
            let size = longSize ?? header.size
            switch header.kind {
            case "x", "L", "K":
                guard size <= 1 << 20, let bytes = try Self.read(file, at, Int(size)), bytes.count == Int(size) else {
                    throw broken("it ends early")
                }
                if header.kind == "x" {
                    let records = Self.records(bytes)
                    longName = records["path"] ?? longName
                    longLink = records["linkpath"] ?? longLink
                    longSize = records["size"].flatMap { Int64($0) }
                } else {
                    let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                    if header.kind == "L" { longName = text } else { longLink = text }
                }
            default:
                let name = Self.clean(longName ?? header.name)
                switch header.kind {
                case "0", "\0", "7": members[name] = Member(start: at, size: size)
                case "1": links[name] = Self.clean(longLink ?? header.link)
                case "2": links[name] = Self.resolve(longLink ?? header.link, from: name)
                default: break
                }
                (longName, longLink, longSize) = (nil, nil, nil)
            }
            let holds = !["1", "2", "3", "4", "5", "6"].contains(header.kind)
            if holds { at += size + Int64(TarHeader.padding(size)) }
            guard at <= end else { throw broken("it ends early") }
        }
        if members.isEmpty { throw broken("it is no tar archive with files in it") }
        for (name, target) in links { members[name] = members[target] }
        self.members = members
    }

    private static func read(_ file: FileDescriptor, _ at: Int64, _ count: Int) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try bytes.withUnsafeMutableBytes { try file.read(fromAbsoluteOffset: at, into: $0) }
        return got == 0 && count > 0 ? nil : Array(bytes[..<got])
    }

    private static func clean(_ name: String) -> String {
        name.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    /// A link's target seen from the top; one that leaves the archive names nothing in it.
    private static func resolve(_ target: String, from name: String) -> String {
        var parts = target.hasPrefix("/") ? [] : name.split(separator: "/").dropLast()
        for part in target.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// `LENGTH KEY=VALUE\n`, again and again.
    private static func records(_ bytes: [UInt8]) -> [String: String] {
        var records: [String: String] = [:]
        var rest = bytes[...]
        while let space = rest.firstIndex(of: 0x20),
            let length = Int(String(decoding: rest[..<space], as: UTF8.self)), length > space - rest.startIndex + 1,
            length <= rest.count
        {
            let record = rest[space...].dropFirst().prefix(length - (space - rest.startIndex) - 2)
            let parts = record.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 {
                records[String(decoding: parts[0], as: UTF8.self)] = String(decoding: parts[1], as: UTF8.self)
            }
            rest = rest.dropFirst(length)
        }
        return records
    }

    private struct Header {
        let name: String
        let size: Int64
        let kind: Character
        let link: String

        /// Nil when the checksum is wrong.
        init?(_ block: [UInt8]) {
            func text(_ range: Range<Int>) -> String {
                String(decoding: block[range].prefix { $0 != 0 }, as: UTF8.self)
            }
            let sum = block.enumerated().reduce(0) { $0 + Int64((148..<156).contains($1.offset) ? 32 : $1.element) }
            guard let size = Self.number(block[124..<136]), let written = Self.number(block[148..<156]), written == sum,
                size >= 0
            else { return nil }
            let prefix = block[257...].starts(with: "ustar\u{0}".utf8) ? text(345..<500) : ""
            name = prefix.isEmpty ? text(0..<100) : prefix + "/" + text(0..<100)
            self.size = size
            kind = Character(UnicodeScalar(block[156]))
            link = text(157..<257)
        }

        /// Octal digits, or GNU's base 256.
        private static func number(_ field: ArraySlice<UInt8>) -> Int64? {
            if let first = field.first, first & 0x80 != 0 {
                guard field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }) else { return nil }
                let value = field.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                return Int64(exactly: value)
            }
            let digits = field.drop { $0 == 0x20 }.prefix { (48...55).contains($0) }
            return digits.isEmpty ? 0 : Int64(String(decoding: digits, as: UTF8.self), radix: 8)
        }
    }
}
