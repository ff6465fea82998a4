internal import Base
internal import Transport

/// A status other than 2xx, with what an LFS server says about it.
struct LFSRefusal: Failure {
    let status: Int
    /// The server's own words.
    let message: String?
    /// The whole body, where it was JSON: a lock that exists already stands in it.
    let body: JSON?
    let failure: RemoteFailure

    init(_ answer: HTTPResponse, _ json: JSON?, _ address: NetworkAddress) {
        status = answer.status
        body = json
        message = json?["message"]?.string ?? json?["error"]?.string
        var detail = message.map { Self.clean($0) } ?? Self.words(answer.status)
        if message != nil { detail += " (status \(answer.status))" }
        if let id = json?["request_id"]?.string, !id.isEmpty { detail += ", request \(Self.clean(id))" }
        var hints: [String] = []
        if let page = json?["documentation_url"]?.string, !page.isEmpty { hints.append("see \(Self.clean(page))") }
        hints += Self.hints(answer.status, address)
        failure = RemoteFailure(
            Self.reason(answer.status), address: address.shown, detail: detail, status: answer.status,
            retryAfter: RetryAfter.parse(answer.headers["retry-after"]), hints: hints)
    }

    var kind: FailureKind { failure.kind }
    var description: String { failure.description }
    var hints: [String] { failure.hints }

    static func reason(_ status: Int) -> RemoteFailure.Reason {
        switch status {
        case 401: .unauthorized
        case 403: .forbidden
        case 404: .noSuchPlace
        case 408, 429: .busy
        case 409, 412: .conflict
        case 413: .tooLarge
        case 500, 502, 503, 504: .outOfOrder
        default: .refused
        }
    }

    private static func words(_ status: Int) -> String {
        switch status {
        case 401: "it refuses the credentials (status 401)"
        case 403: "you may not do that there (status 403)"
        case 404: "no LFS server answers there, or no repository for you (status 404)"
        case 413: "the request or the content is too large for it (status 413)"
        case 429: "it has had too many requests (status 429)"
        case 501: "it does not know how to do that (status 501)"
        case 507: "it has no room left (status 507)"
        case 509: "its limit of traffic is used up (status 509)"
        default: "it answers with status \(status)"
        }
    }

    private static func hints(_ status: Int, _ address: NetworkAddress) -> [String] {
        switch status {
        case 401, 403:
            ["check your login there: `git credential fill`, or a new token, and your rights to the repository"]
        case 404:
            ["check `git config lfs.url` and the git remote's address, or name another place in ml.yaml: `data.remote`"]
        default: []
        }
    }

    /// One line of at most 300 characters that cannot steer a terminal.
    static func clean(_ text: String) -> String {
        var line = String(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? " " : Character($0) })
        if line.count > 300 { line = line.prefix(300) + "…" }
        return line
    }
}
