internal import Base
internal import SystemPackage

/// How DVC names content: by MD5, and before version 3 by that of text files with Unix line ends.
struct DVCHash: Hashable, Sendable {
    /// 32 lower-case hex digits.
    let md5: String
    /// Whether the digest of a text file may be that with CR LF made LF (`md5-dos2unix`, DVC 1 and 2).
    let isLegacy: Bool

    /// Nil for what is no MD5: such a text becomes part of a path.
    init?(_ text: String, isLegacy: Bool) {
        guard text.utf8.count == 32, Hex.decode(text) != nil else { return nil }
        md5 = text
        self.isLegacy = isLegacy
    }

    /// The names at a remote and in a cache, likeliest first; `suffix` is `.dir` for the list of a folder.
    func keys(suffix: String = "") -> [String] {
        let name = "\(md5.prefix(2))/\(md5.dropFirst(2))\(suffix)"
        return isLegacy ? [name, "files/md5/" + name] : ["files/md5/" + name, name]
    }

    func matches(_ hasher: DVCHasher) -> Bool { hasher.plain == md5 || (isLegacy && hasher.unix == md5) }
}

/// Both digests of one content.
struct DVCHasher {
    /// DVC reads so much at a time; a CR LF across the border stays as it is.
    private static let pieceSize = 1 << 20
    private var plainState = MD5Hasher()
    private var unixState = MD5Hasher()
    private let isLegacy: Bool
    private var isText: Bool?
    /// The beginning of the present piece.
    private var waiting: [UInt8] = []

    init(isLegacy: Bool) { self.isLegacy = isLegacy }

    var plain: String { plainState.finish() }
    var unix: String {
        var last = self
        last.finishPiece()
        return last.unixState.finish()
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        plainState.update(bytes)
        guard isLegacy, isText != false else {
            if isLegacy { unixState.update(bytes) }
            return
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.pieceSize - waiting.count)
            waiting += part
            rest = rest.dropFirst(part.count)
            if waiting.count == Self.pieceSize { finishPiece() }
        }
    }

    private mutating func finishPiece() {
        let text = waiting.withUnsafeBytes { isText ?? Self.isText($0) }
        isText = text
        unixState.update(text ? waiting.withUnsafeBytes(Self.withUnixEnds) : waiting)
        waiting.removeAll(keepingCapacity: true)
    }

    /// DVC's guess: no zero byte, and at most three in ten bytes of the first 512 that are not plain ASCII text.
    private static func isText(_ piece: UnsafeRawBufferPointer) -> Bool {
        let head = piece.prefix(512)
        if head.isEmpty { return true }
        if head.contains(0) { return false }
        let others = head.count { !(32..<127).contains($0) && ![10, 13, 9, 12, 8].contains($0) }
        return others * 10 <= head.count * 3
    }

    private static func withUnixEnds(_ piece: UnsafeRawBufferPointer) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(piece.count)
        for (i, byte) in piece.enumerated() where byte != 0x0d || i + 1 == piece.count || piece[i + 1] != 0x0a {
            result.append(byte)
        }
        return result
    }
}
