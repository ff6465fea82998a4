internal import Base
internal import GitKit
internal import Images
internal import SystemPackage

/// Finds the base of an image, and keeps to the digest that `ml.lock` pins it to.
public struct BasePins {
    /// What happens to a base that is pinned nowhere.
    public enum Rule: Sendable {
        /// It is an error: what is delivered must come out the same again.
        case required
        /// It is pinned in the work tree's `ml.lock`.
        case written
        /// It is looked up, and nothing is written.
        case looked
        /// Whatever it was pinned to, it is looked up and pinned anew.
        case renewed
    }

    let repository: Repository
    let commit: ObjectID
    let cache: FilePath
    let rule: Rule

    /// The base for a platform; nil for `scratch`.
    ///
    /// The commit's own lock goes first, then the one of the work tree or, without a work tree, of the default branch.
    func base(_ text: String, for platform: Platform, say: (String) -> Void) async throws -> BaseImage? {
        if text == "scratch" { return nil }
        let written = try ImageReference(text)
        // The lock names a base as ml.yaml does, so that it means the same in every clone.
        let reference = written.below(repository.workTree ?? repository.gitDirectory)
        let images = BaseImages(cache: cache, options: try ModelPackage.registryOptions(repository))
        if rule != .renewed, let pin = try pin(written, platform) {
            return try await images.resolve(reference, for: platform, pin: pin)
        }
        if rule == .required {
            throw BaseFailure(base: text, platform: "\(platform)")
        }
        let base = try await images.resolve(reference, for: platform, pin: nil)
        let pin = BasePin(index: base.index, manifest: base.manifest.digest)
        if rule != .looked { try write(written, platform, pin, say) }
        return base
    }

    private func pin(_ reference: ImageReference, _ platform: Platform) throws -> BasePin? {
        if let pin = try lock(at: commit)?[reference, platform] { return pin }
        if let pin = try lockInWorkTree()?[reference, platform] { return pin }
        guard repository.workTree == nil, let head = try repository.head() else { return nil }
        return try lock(at: head)?[reference, platform]
    }

    private func lock(at commit: ObjectID) throws -> BaseLock? {
        try repository.file(BaseLock.fileName, in: commit).map {
            try BaseLock(String(decoding: $0, as: UTF8.self), file: "\(commit.short):\(BaseLock.fileName)")
        }
    }

    private func lockInWorkTree() throws -> BaseLock? {
        guard let file = repository.workTree?.appending(BaseLock.fileName) else { return nil }
        return try Files.readText(file).map { try BaseLock($0) }
    }

    private func write(
        _ reference: ImageReference, _ platform: Platform, _ pin: BasePin, _ say: (String) -> Void
    ) throws {
        let file = try repository.requireWorkTree().appending(BaseLock.fileName)
        try FileLock.with(repository.mlDirectory.appending("ml.lock.lock")) {
            var lock = try lockInWorkTree() ?? BaseLock()
            lock.pin(reference, platform, pin)
            try Files.replace(file, with: lock.text.utf8)
        }
        say("\(BaseLock.fileName): \(reference) for \(platform) is \(pin.manifest); commit it")
    }
}

/// A base that would be something else tomorrow.
struct BaseFailure: Failure {
    let base: String
    let platform: String

    var kind: FailureKind { .user }
    var description: String { "the base \(base) is not pinned for \(platform) in \(BaseLock.fileName)" }
    var hints: [String] {
        [
            "pin it with `git ml package MODEL --update-base --platform \(platform) --dry-run`, commit \(BaseLock.fileName), and tag that commit"
        ]
    }
}

extension BaseImage {
    /// The Python in it, as the images called `python` say it themselves: `3.12`.
    var pythonVersion: String? {
        let value = variables["PYTHON_VERSION"]?.split(separator: ".") ?? []
        return value.count >= 2 ? value.prefix(2).joined(separator: ".") : nil
    }
}
