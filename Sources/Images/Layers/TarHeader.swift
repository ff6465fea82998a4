internal import Base

/// The blocks that stand before an entry of a tar archive (POSIX.1-2001, pax where needed).
///
/// Owner 0:0 without names, one time for all, and the fields that nobody needs left zero: nothing that could differ.
struct TarHeader {
    static let block = 512
    let name: String
    let size: Int64
    let mode: UInt32
    let kind: Character
    let time: Timestamp

    /// How many zeros follow content of that size.
    static func padding(_ size: Int64) -> Int { Int((512 - size % 512) % 512) }

    var bytes: [UInt8] {
        let bytes = Array(name.utf8)
        var pax = ""
        var short = (prefix: ArraySlice<UInt8>(), name: bytes[...])
        let isPlain = bytes.allSatisfy { $0 < 128 }
        if let split = isPlain ? Self.split(bytes) : nil {
            short = split
        } else {
            pax += Self.record("path", name)
            short.name = bytes.filter { $0 < 128 }.prefix(100)
        }
        let isHuge = size >= 1 << 33
        if isHuge { pax = Self.record("size", String(size)) + pax }
        var out: [UInt8] = []
        if !pax.isEmpty {
            let body = Array(pax.utf8)
            out += raw(prefix: [], name: Array("PaxHeader".utf8)[...], size: Int64(body.count), mode: 0o644, kind: "x")
            out += body
            out += [UInt8](repeating: 0, count: Self.padding(Int64(body.count)))
        }
        return out + raw(prefix: short.prefix, name: short.name, size: isHuge ? 0 : size, mode: mode, kind: kind)
    }

    private func raw(
        prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>, size: Int64, mode: UInt32, kind: Character
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.block)
        func set(_ offset: Int, _ bytes: some Collection<UInt8>) {
            block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        func octal(_ value: Int64, _ width: Int) -> String.UTF8View {
            let digits = String(value, radix: 8)
            return (String(repeating: "0", count: max(0, width - 1 - digits.count)) + digits).utf8
        }
        set(0, name)
        set(100, octal(Int64(mode), 8))
        set(108, octal(0, 8))
        set(116, octal(0, 8))
        set(124, octal(size, 12))
        set(136, octal(max(0, time.microseconds / 1_000_000), 12))
        set(148, "        ".utf8)
        set(156, [kind.asciiValue ?? 0x30])
        set(257, "ustar\u{0}00".utf8)
        set(345, prefix)
        let sum = block.reduce(0) { $0 + Int64($1) }
        set(148, octal(sum, 7))
        set(154, [0, 0x20])
        return block
    }

    /// A name in at most 155 + 100 bytes, parted at a slash; nil when it does not fit.
    private static func split(_ bytes: [UInt8]) -> (prefix: ArraySlice<UInt8>, name: ArraySlice<UInt8>)? {
        if bytes.count <= 100 { return ([], bytes[...]) }
        for at in bytes.indices where bytes[at] == UInt8(ascii: "/") && at <= 155 && at > 0 {
            let name = bytes[(at + 1)...]
            if name.count <= 100, !name.isEmpty { return (bytes[..<at], name) }
        }
        return nil
    }

    /// `LENGTH KEY=VALUE\n`, the length counting itself.
    private static func record(_ key: String, _ value: String) -> String {
        let rest = " \(key)=\(value)\n"
        var length = rest.utf8.count
        while String(length).utf8.count + rest.utf8.count != length {
            length = String(length).utf8.count + rest.utf8.count
        }
        return "\(length)\(rest)"
    }
}
