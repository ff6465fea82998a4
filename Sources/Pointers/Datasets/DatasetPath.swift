/// Paths inside a dataset: how a manifest spells them and which are refused.
enum DatasetPath {
    /// The path as people read it: the manifest's own spelling.
    static func display(_ path: some Collection<UInt8>) -> String {
        var text: [UInt8] = []
        escape(Array(path), into: &text)
        return String(decoding: text, as: UTF8.self)
    }

    static func escape(_ path: [UInt8], into text: inout [UInt8]) {
        if path.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != 0x5c }) { return text += path }
        var i = 0
        while i < path.count {
            let byte = path[i]
            let length = byte < 0x80 ? 1 : scalarLength(path, i)
            if length == 0 || byte < 0x20 || byte == 0x7f || byte == 0x5c {
                text += [0x5c, 0x78, digit(byte >> 4), digit(byte & 15)]
                i += 1
            } else {
                text += path[i..<i + length]
                i += length
            }
        }
    }

    /// The path that a manifest's text spells; nil when that is not its one right spelling.
    static func unescape(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
        if text.allSatisfy({ $0 >= 0x20 && $0 < 0x7f && $0 != 0x5c }) { return Array(text) }
        var path: [UInt8] = []
        var i = 0
        while i < text.count {
            guard text[i] == 0x5c else {
                path.append(text[i])
                i += 1
                continue
            }
            guard i + 3 < text.count, text[i + 1] == 0x78, let high = value(text[i + 2]), let low = value(text[i + 3])
            else { return nil }
            path.append(high << 4 | low)
            i += 4
        }
        var again: [UInt8] = []
        escape(path, into: &again)
        return again.elementsEqual(text) ? path : nil
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? value + 48 : value + 87 }

    private static func value(_ unit: UInt8) -> UInt8? {
        switch unit {
        case 48...57: unit - 48
        case 97...102: unit - 87
        default: nil
        }
    }

    /// How many bytes the well-formed UTF-8 sequence at `i` has; 0 when there is none.
    private static func scalarLength(_ path: [UInt8], _ i: Int) -> Int {
        let length = path[i] >= 0xf0 ? 4 : path[i] >= 0xe0 ? 3 : 2
        guard i + length <= path.count else { return 0 }
        return String(validating: path[i..<i + length], as: UTF8.self) == nil ? 0 : length
    }

    /// Why a path is refused, to stand behind it in a sentence; nil when it is good.
    static func problem(_ path: [UInt8]) -> String? {
        if path.isEmpty { return "is an empty path" }
        if path.count > 4000 { return "is longer than 4000 bytes" }
        if path[0] == 0x2f || path[0] == 0x5c { return "is an absolute path" }
        if path.contains(0) { return "has a byte of zero" }
        if path.count >= 2, path[1] == 0x3a, isLetter(path[0]), path.count == 2 || path[2] == 0x5c || path[2] == 0x2f {
            return "starts with a drive letter"
        }
        for component in path.split(separator: 0x2f, omittingEmptySubsequences: false) {
            if component.isEmpty { return "has an empty component" }
            if component.count > 255 { return "has a component of more than 255 bytes" }
            if component.contains(0x5c) {
                // To some systems these are components of their own.
                for part in component.split(separator: 0x5c) where isSpecial(part) { return "leaves its folder" }
            } else if isSpecial(component) {
                return component.first == 0x2e && component.allSatisfy { $0 == 0x2e }
                    ? "leaves its folder" : "has a component that stands for .git"
            }
        }
        return nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a }

    /// Whether a component is `.`, `..`, `.git` or what a file system that folds names takes for it.
    private static func isSpecial(_ component: ArraySlice<UInt8>) -> Bool {
        guard let first = component.first, first == 0x2e || first | 0x20 == 0x67 || first >= 0xe2 else { return false }
        if component.count <= 2, component.allSatisfy({ $0 == 0x2e }) { return true }
        guard component.count <= 64 else { return false }
        let ignored: (Unicode.Scalar) -> Bool = {
            switch $0.value {
            case 0x200c...0x200f, 0x202a...0x202e, 0x206a...0x206f, 0xfeff: true
            default: false
            }
        }
        let kept = String.UnicodeScalarView(
            String(decoding: component, as: UTF8.self).unicodeScalars.filter { !ignored($0) })
        var name = String(kept).lowercased()[...]
        if let stream = name.firstIndex(of: ":") { name = name[..<stream] }
        while let last = name.last, last == "." || last == " " { name.removeLast() }
        return name == ".git" || name == "git~1"
    }

    /// Why a link's target is refused; nil when it stays inside the folder.
    static func problem(target: [UInt8], of link: some Collection<UInt8>) -> String? {
        if target.isEmpty || target.contains(0) || target.count > 4000 { return "is a link to nowhere" }
        if target[0] == 0x2f { return "is a link to an absolute path" }
        var depth = link.reduce(0) { $1 == 0x2f ? $0 + 1 : $0 }
        for component in target.split(separator: 0x2f) {
            if component.elementsEqual([0x2e, 0x2e]) {
                depth -= 1
                if depth < 0 { return "is a link that leaves the folder" }
            } else if !component.elementsEqual([0x2e]) {
                depth += 1
            }
        }
        return nil
    }
}

/// Checks that paths come strictly ascending, that none lies below another that is no folder, and that no two differ in
/// case only.
struct PathOrder {
    private var last: [UInt8] = []
    /// Entries that are a beginning of the last path.
    private var chain: [[UInt8]] = []
    /// What each path and folder is when its case is folded, both as hashes.
    private var folded: [UInt64: UInt64] = [:]
    private let checksCase: Bool

    init(checksCase: Bool = true) { self.checksCase = checksCase }

    /// Why the next path is refused, to stand behind it in a sentence; nil when it is good.
    mutating func next(_ path: [UInt8]) -> String? {
        guard last.lexicographicallyPrecedes(path) else {
            return last == path ? "is there twice" : "is out of order"
        }
        while let top = chain.last, !path.starts(with: top) { chain.removeLast() }
        for entry in chain where path[entry.count] == 0x2f { return "lies below an entry that is no folder" }
        if checksCase, collides(path) { return "differs from another path in case only" }
        chain.append(path)
        last = path
        return nil
    }

    private mutating func collides(_ path: [UInt8]) -> Bool {
        var shared = 0
        for (i, pair) in zip(path, last).enumerated() where pair.0 == pair.1 && pair.0 == 0x2f {
            guard path[..<i] == last[..<i] else { break }
            shared = i
        }
        let text = path.allSatisfy { $0 < 0x80 } ? nil : String(validating: path, as: UTF8.self)
        let low = text.map { Array($0.lowercased().utf8) } ?? path
        var raw = FNV()
        var fold = FNV()
        var at = 0
        for i in 0...path.count {
            if i == path.count || path[i] == 0x2f {
                while at < low.count, low[at] != 0x2f {
                    fold.add(low[at] >= 0x41 && low[at] <= 0x5a ? low[at] | 0x20 : low[at])
                    at += 1
                }
                if i > shared, clash(fold.value, raw.value) { return true }
                fold.add(0x2f)
                at += 1
            }
            if i < path.count { raw.add(path[i]) }
        }
        return false
    }

    private mutating func clash(_ fold: UInt64, _ raw: UInt64) -> Bool {
        if let known = folded.updateValue(raw, forKey: fold) { return known != raw }
        return false
    }
}

/// FNV-1a, 64 bits.
struct FNV {
    private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }

    static func of(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash = FNV()
        for byte in bytes { hash.add(byte) }
        return hash.value
    }
}
