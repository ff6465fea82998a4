internal import Base
internal import SystemPackage

/// Paths out of another repository: bytes that somebody else chose.
enum OriginPath {
    /// How it is shown.
    static func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }

    /// The file at such a path below a folder; the bytes need not be UTF-8.
    static func file(_ path: [UInt8], below folder: FilePath) -> FilePath {
        if path.isEmpty { return folder }
        return (path.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { text in
            text.baseAddress.map { folder.pushing(FilePath(platformString: $0)) } ?? folder
        }
    }

    /// Why nothing may be written at the path, to stand behind it in a sentence; nil when it is good.
    static func problem(_ path: [UInt8]) -> String? {
        if path.isEmpty || path.contains(0) { return "has no proper name" }
        for component in path.split(separator: 0x2f, omittingEmptySubsequences: false) {
            if component.isEmpty { return "has an empty part in its path" }
            if component.contains(0x5c) { return "has a backslash in its name" }
            if component.elementsEqual([0x2e]) || component.elementsEqual([0x2e, 0x2e]) { return "leaves its folder" }
            if isGit(component) { return "has a part that stands for .git" }
        }
        return nil
    }

    /// Whether some file system takes the name for `.git`.
    private static func isGit(_ component: ArraySlice<UInt8>) -> Bool {
        guard component.count <= 64 else { return false }
        let scalars = String(decoding: component, as: UTF8.self).unicodeScalars.filter {
            switch $0.value {
            case 0x200c...0x200f, 0x202a...0x202e, 0x206a...0x206f, 0xfeff: false
            default: true
            }
        }
        var name = String(String.UnicodeScalarView(scalars)).lowercased()[...]
        if let stream = name.firstIndex(of: ":") { name = name[..<stream] }
        while let last = name.last, last == "." || last == " " { name.removeLast() }
        return name == ".git" || name == "git~1"
    }

    /// Why a link's target is refused; nil when it stays inside the folder that is brought.
    static func problem(target: [UInt8], of link: [UInt8]) -> String? {
        if target.isEmpty || target.contains(0) || target.count > 4000 { return "is a link to nowhere" }
        if target[0] == 0x2f { return "is a link to \(text(target)), an absolute path" }
        var parts = Array(link.split(separator: 0x2f).dropLast())
        for component in target.split(separator: 0x2f) where !component.elementsEqual([0x2e]) {
            if component.elementsEqual([0x2e, 0x2e]) {
                guard parts.popLast() != nil else { return "is a link to \(text(target)), outside of what is brought" }
            } else {
                if isGit(component) { return "is a link into .git" }
                parts.append(component)
            }
        }
        return nil
    }

    /// The pattern of `.gitattributes` that matches one file of the work tree, or all below a folder.
    static func pattern(_ path: String, isFolder: Bool) -> String {
        var text = "/"
        for scalar in path.unicodeScalars {
            if "*?[]\\".unicodeScalars.contains(scalar) { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(scalar)
        }
        return text + (isFolder ? "/**" : "")
    }
}
