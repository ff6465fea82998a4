internal import Base
internal import CLibgit2

/// libgit2, started once and only when first used: its set-up takes about 5 ms.
enum Library {
    static let started: Bool = git_libgit2_init() > 0

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

    var objectID: ObjectID { withUnsafeBytes(of: self) { ObjectID(bytes: $0.prefix(20)) } }
}
