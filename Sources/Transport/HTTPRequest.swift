public import SystemPackage

/// What is asked of a server.
public struct HTTPRequest: Sendable {
    /// Where the body of an answer goes.
    ///
    /// The body of a failure (a status other than 2xx) always goes to memory.
    public enum Sink: Sendable {
        /// Into memory; more bytes than `limit` are an error.
        case memory(limit: Int)
        /// To the end of a file that may hold the first bytes already.
        ///
        /// Those are not asked for again (`Range`); a server that sends them all the same makes the file begin anew. More
        /// or fewer bytes than `size` in the end are an error, and what has come stays for the next try.
        case file(FilePath, size: Int64)
    }

    /// Whether an answer that points elsewhere is followed.
    public enum Redirects: Sendable {
        /// It is an answer like any other.
        case refused
        /// By GET and HEAD, at most five times, never from https to http, and never to an address in this machine's own
        /// networks that the first server does not share. Another origin gets no headers but `Accept` and `Range`.
        case followed
    }

    public var method: String
    public var url: String
    public var headers: [String: String]
    public var body: HTTPClient.Body
    public var sink = Sink.memory(limit: 64 << 20)
    public var redirects = Redirects.refused
    public var tls = TLSOptions()
    /// The proxy to go through; nil: as the environment says, empty: none.
    public var proxy: String?
    /// The network address of the server that named this URL: where the URL then leads into this machine's own networks,
    /// and that server is not in them, nothing is sent.
    public var namedBy: String?
    /// For all of it; nil: no end.
    public var timeout: Duration? = .seconds(30)
    /// A transfer that stands still for so long is given up.
    public var patience = Duration.seconds(60)
    /// Gets the bytes of the body that were sent, or received into a file, since the last call.
    ///
    /// A negative number takes back what has to be moved again. It is called from the thread that moves the bytes, which waits for it.
    public var progress: (@Sendable (Int64) -> Void)?

    public init(
        _ method: String, _ url: String, headers: [String: String] = [:], body: HTTPClient.Body = .none
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

/// How a server's certificate is judged, and what is shown to it.
public struct TLSOptions: Sendable, Equatable {
    /// Whether the server must have a certificate that is trusted.
    public var verifies = true
    /// The file of the certificates to trust; nil: as the environment says, else the system's.
    public var authorities: String?
    /// The files of the client's own certificate and of its key.
    public var certificate: String?
    public var key: String?

    public init() {}
}

/// An answer over HTTP.
public struct HTTPResponse: Sendable {
    public let status: Int
    /// By lower-case name; of a header that stands twice the last counts.
    public let headers: [String: String]
    /// Empty when it went to a file.
    public let body: [UInt8]
    /// The network address of whoever answered: the server, or a proxy.
    public var peer: String?

    /// Whether the status is 2xx.
    public var isSuccess: Bool { (200..<300).contains(status) }
    public var text: String { String(decoding: body, as: UTF8.self) }
}
