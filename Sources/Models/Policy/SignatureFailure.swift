public import Base

/// Why a signature does not count.
public enum SignatureFailure: Failure, Equatable {
    case unsigned
    /// A form that is not SSH's or OpenPGP's, or one that cannot be read.
    case unreadable(reason: String)
    /// `file` is where policy lists its keys.
    case unknownKey(String, file: String)
    /// The key was in the file, and has been taken out again.
    case removedKey(String, file: String)
    case expiredKey(String, file: String)
    case notYetValid(String, file: String)
    case revokedKey(String, file: String)
    /// A line of the file that allows the key for other things than git's.
    case notForGit(String, file: String)
    /// Made for something else than an object of git: `ssh-keygen -Y sign -n NAMESPACE`.
    case otherNamespace(String)
    /// The signature is not one over this text.
    case otherText(String)
    /// `git verify-tag` says no where we have found nothing.
    case git(String)

    public var kind: FailureKind { .user }

    public var description: String {
        switch self {
        case .unsigned: "it is not signed"
        case .unreadable(let reason): "its signature cannot be read: \(reason)"
        case .unknownKey(let key, let file):
            "it is signed by \(key), a key that \(file) on the protected branch does not name"
        case .removedKey(let key, let file):
            "it is signed by \(key), a key that has been taken out of \(file) on the protected branch"
        case .expiredKey(let key, let file):
            "it is signed by \(key), a key that has expired (\(file) on the protected branch)"
        case .notYetValid(let key, let file):
            "it is signed by \(key), a key that is not valid yet (\(file) on the protected branch)"
        case .revokedKey(let key, let file):
            "it is signed by \(key), a key that has been revoked (\(file) on the protected branch)"
        case .notForGit(let key, let file):
            "it is signed by \(key), a key that \(file) on the protected branch allows for other things only"
        case .otherNamespace(let name): "its signature was made for “\(name)”, not for git"
        case .otherText(let key): "its signature by \(key) is over something else"
        case .git(let words): "git does not take its signature: \(words)"
        }
    }

    public var hints: [String] {
        switch self {
        case .unsigned: ["sign it: `git ml stage … --sign`, or `git tag -s`"]
        case .unknownKey(_, let file), .removedKey(_, let file), .expiredKey(_, let file), .notYetValid(_, let file),
            .revokedKey(_, let file), .notForGit(_, let file):
            ["sign with a key of \(file), or have yours put there on the protected branch"]
        case .unreadable, .otherNamespace, .otherText, .git:
            ["make it anew, signed: `git ml stage … --sign`, or `git tag -s`"]
        }
    }

    /// One word for scripts.
    public var code: String {
        switch self {
        case .unsigned: "unsigned"
        case .unreadable: "unreadable-signature"
        case .unknownKey: "unknown-key"
        case .removedKey: "removed-key"
        case .expiredKey: "expired-key"
        case .notYetValid: "key-not-yet-valid"
        case .revokedKey: "revoked-key"
        case .notForGit, .otherNamespace: "other-namespace"
        case .otherText, .git: "bad-signature"
        }
    }
}

/// Whose signature it is.
public struct Signer: Sendable, Equatable {
    /// The names that policy's file gives the key: principals of an SSH key, the address of an OpenPGP key.
    public let names: [String]
    /// `SHA256:…` of an SSH key, the fingerprint of an OpenPGP key.
    public let key: String

    public init(names: [String], key: String) {
        self.names = names
        self.key = key
    }
}
