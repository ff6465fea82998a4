internal import Base
internal import CLibgit2
internal import Synchronization

/// libgit2, started once and only when first used: its set-up takes about 5 ms.
enum Library {
    static let started: Bool = {
        gitml_limit_memory(32 << 20, 128 << 20, 32 << 20)
        // We never delete objects, which is all that `extensions.preciousObjects` asks for; and ``Repository`` asks git
        // for what is missing in a partial clone.
        return git_libgit2_init() > 0 && gitml_allow_extensions("preciousobjects", "partialclone") == 0
    }()

    private static let flushers = Mutex(0)

    /// Runs calls that move refs: what they write is flushed to the disk before it gets its name.
    ///
    /// The switch is one for the whole process. It is off otherwise, so that objects are flushed once and together
    /// (``RepositoryBackend/flush()``); one that another thread writes meanwhile is flushed twice.
    static func durably<T>(_ body: () -> T) -> T {
        func add(_ change: Int) {
            flushers.withLock { count in
                count += change
                _ = gitml_set_fsync(count > 0 ? 1 : 0)
            }
        }
        add(1)
        defer { add(-1) }
        return body()
    }

    /// Runs one call of libgit2 and turns a negative status into a failure with the library's own words.
    ///
    /// The last error belongs to the thread, so it is read at once and cleared.
    @discardableResult
    static func check(_ action: @autoclosure () -> String, _ call: () -> Int32) throws -> Int32 {
        let code = call()
        guard code < 0 else { return code }
        throw failure(action(), code)
    }

    static func failure(_ action: String, _ code: Int32) -> GitFailure {
        defer { git_error_clear() }
        let message = git_error_last().flatMap { $0.pointee.message.map { String(cString: $0) } }
        return .library(action: action, code: code, message: message ?? "libgit2 answered \(code)")
    }
}

extension git_oid {
    init?(_ id: ObjectID) {
        self.init()
        guard git_oid_fromstr(&self, id.hex) == 0 else { return nil }
    }

    var objectID: ObjectID {
        withUnsafeBytes(of: self) { ObjectID(raw: UnsafeRawBufferPointer(rebasing: $0[..<20])) }
    }
}

/// Stands in for mbedTLS's function of that name, which libgit2 calls when it starts: it would read all certificates of the
/// machine, some 4 ms of every hook, for connections that libgit2 never makes here (fetch and push are `git`'s).
///
/// A program's own symbols win over those of the libraries it is linked to; where libgit2 uses another TLS library nobody
/// calls it.
@_cdecl("mbedtls_x509_crt_parse_file")
public func skipCertificates(_ chain: UnsafeMutableRawPointer?, _ path: UnsafePointer<CChar>?) -> Int32 { 0 }
