internal import Base
public import SystemPackage

/// A path as git has it: bytes from the top of the work tree, whatever they mean.
public typealias RepositoryPath = [UInt8]

extension FilePath {
    /// The file at a path of a work tree; the bytes need not be UTF-8.
    public func file(_ path: RepositoryPath) -> FilePath {
        (path.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { text in
            text.baseAddress.map { pushing(FilePath(platformString: $0)) } ?? self
        }
    }
}

/// The lists that git writes and reads with `-z`.
enum ZeroList {
    static func parse(_ bytes: [UInt8]) -> [RepositoryPath] {
        bytes.split(separator: 0).map { Array($0) }
    }

    static func text(_ paths: [RepositoryPath]) -> [UInt8] {
        var bytes: [UInt8] = []
        for path in paths {
            bytes += path
            bytes.append(0)
        }
        return bytes
    }
}
