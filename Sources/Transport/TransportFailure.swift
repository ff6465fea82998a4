public import Base

/// A request that got no answer.
public struct TransportFailure: Failure, Equatable {
    /// What kind of thing kept it from one.
    public enum Cause: Sendable, Equatable {
        /// No name, no route, nobody listening.
        case noConnection
        /// The connection broke, or stood still.
        case broken
        /// The server's certificate is not one that this machine trusts.
        case untrusted
        /// The answer is no beginning or rest of what was asked for, or a redirect leads where it must not.
        case unacceptable
        /// The answer has more or fewer bytes than were asked for.
        case otherLength
        /// Something on this side: a file, an address that is none, libcurl.
        case local
    }

    public let method: String
    /// Without user, password and query.
    public let url: String
    public let reason: String
    public let what: Cause

    init(_ method: String, _ url: String, _ reason: String, _ what: Cause) {
        self.method = method
        self.url = NetworkAddress.withoutSecrets(url)
        self.reason = reason
        self.what = what
    }

    public var kind: FailureKind { what == .local ? .user : .remote }
    public var description: String { "\(method) \(url): \(reason)" }
    public var hints: [String] {
        switch what {
        case .untrusted: ["name the certificates to trust: `export SSL_CERT_FILE=/path/to/ca.pem`"]
        case .noConnection: ["check the address, the network and any proxy (`https_proxy`, `no_proxy`)"]
        case .local where reason.contains("libcurl cannot be opened"): ["install libcurl (Debian: libcurl4)"]
        default: []
        }
    }

    /// The cause that one of curl's codes stands for.
    static func cause(_ code: Int32) -> Cause {
        switch code {
        case 5, 6, 7: .noConnection
        case 1, 3, 23, 27, 43: .local
        case 35, 51, 53, 54, 58, 59, 60, 66, 77, 80, 82, 83, 90, 91: code == 35 ? .broken : .untrusted
        default: .broken
        }
    }
}
