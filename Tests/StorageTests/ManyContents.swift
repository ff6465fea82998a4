import Base
import SystemPackage

@testable import Storage

extension ContentStore {
    /// Takes in many small contents with one flush for all.
    func insert(many texts: [String]) throws -> [ContentID] {
        let batch = try ContentBatch(self)
        let contents = try texts.map { try batch.take(Array($0.utf8)) }
        try batch.place()
        return contents
    }

    /// Gives contents to another store of the same file system; they are not here any more.
    func hand(_ contents: [ContentID], to other: ContentStore) throws {
        for content in contents {
            let target = other.path(of: content.digest)
            try Files.makeDirectory(target.removingLastComponent())
            try Files.rename(path(of: content.digest), to: target)
        }
    }
}
