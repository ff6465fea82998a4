internal import Base
internal import CurlShim
internal import Synchronization
internal import SystemPackage

/// One request on its way, from the caller's task to the loop's thread and back.
///
/// Everything but `outcome` is touched by the loop's thread only, once `HTTPLoop.perform` has handed it over: that is
/// what makes it safe to send.
final class HTTPExchange: @unchecked Sendable {
    let request: HTTPRequest
    /// Whether a peer in this machine's own networks is refused.
    private let peerPolicy: PeerPolicy?
    private(set) var peer = ""
    var handle: UnsafeMutableRawPointer?
    /// What it must keep to, where it moves content.
    private let limit: RateLimit?
    private(set) var isPaused = false
    private var body: RequestBody?
    private var sink: ResponseSink?
    private var status = 0
    private var headers: [String: String] = [:]
    private var problem: TransportFailure?
    private var continuation: CheckedContinuation<Result<HTTPResponse, any Error>, Never>?

    init(_ request: HTTPRequest, peerPolicy: PeerPolicy?) {
        self.request = request
        self.peerPolicy = peerPolicy
        limit = request.progress == nil ? nil : RateLimit.current
    }

    func wait(_ continuation: CheckedContinuation<Result<HTTPResponse, any Error>, Never>) {
        self.continuation = continuation
    }

    private func failure(_ reason: String, _ what: TransportFailure.Cause) -> TransportFailure {
        TransportFailure(request.method, request.url, reason, what)
    }

    private func failure(_ problem: ResponseSink.Problem) -> TransportFailure {
        switch problem {
        case .local(let reason): failure(reason, .local)
        case .unacceptable(let reason): failure(reason, .unacceptable)
        case .otherLength(let reason): failure(reason, .otherLength)
        case .broken(let reason): failure(reason, .broken)
        }
    }

    var bodySize: Int64 { body?.size ?? -1 }

    func finish(_ result: Result<HTTPResponse, any Error>) {
        body?.close()
        let continuation = continuation
        self.continuation = nil
        continuation?.resume(returning: result)
    }

    // MARK: On the loop's thread

    /// Opens the files and gives the request to curl.
    func begin(_ session: OpaquePointer) -> Bool {
        do throws(Errno) { body = try RequestBody(request.body) } catch {
            finish(.failure(failure("cannot read the file to send: \(error.description.lowercasedFirst)", .local)))
            return false
        }
        do throws(ResponseSink.Problem) { sink = try ResponseSink(request.sink) } catch {
            finish(.failure(failure(error)))
            return false
        }
        var headers = request.headers
        // Azure's own name for it, which is part of what is signed, does the same.
        if let range = sink?.range, headers["x-ms-range"] == nil { headers["Range"] = range }
        handle = start(session, headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" })
        if handle == nil { finish(.failure(failure("libcurl has no memory for it", .local))) }
        return handle != nil
    }

    func cancel(_ session: OpaquePointer) {
        guard let handle else { return }
        curlshim_cancel(session, handle)
        self.handle = nil
        _ = try? sink?.close(status: status, headers: headers, isWhole: false)
        finish(.failure(CancellationError()))
    }

    /// How long it still has to wait; nil when it need not.
    var wait: Duration? { isPaused ? limit?.wait ?? .zero : nil }

    /// Whether the limit is used up; curl is then told to pause it.
    private func pause() -> Bool {
        isPaused = limit?.wait != nil
        return isPaused
    }

    /// Goes on with it when the limit allows.
    func resume() {
        guard let handle, isPaused, limit?.wait == nil else { return }
        isPaused = false
        curlshim_resume(handle)
    }

    func send(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        if pause() { return curlshim_pause }
        guard let count = body?.read(into: buffer) else {
            problem = failure("the file became shorter while it was sent", .local)
            return curlshim_stop
        }
        if count > 0 { request.progress?(Int64(count)) }
        return count
    }

    func seek(to offset: Int64) -> Int32 {
        guard let before = body?.offset else { return 1 }
        if offset != before { request.progress?(offset - before) }
        body?.seek(to: offset)
        return 0
    }

    func take(header line: UnsafeRawBufferPointer) {
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            headers = [:]
            status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        } else if let colon = text.firstIndex(of: ":") {
            let value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            let name = text[..<colon].lowercased()
            let text = String(value).trimmingTrailingSpace
            // A server offers each way of logging in by a header of its own; together they mean the same (RFC 9110, 11.6.1).
            let before = name == "www-authenticate" ? headers[name].map { $0 + ", " } ?? "" : ""
            headers[name] = before + text
        }
    }

    func take(body piece: UnsafeRawBufferPointer) -> Int {
        if pause() { return curlshim_pause }
        do throws(ResponseSink.Problem) {
            let grown = try sink?.take(piece, status: status, headers: headers) ?? 0
            if grown != 0 { request.progress?(grown) }
            return piece.count
        } catch {
            problem = failure(error)
            return 0
        }
    }

    func connected(_ address: String) -> Int32 {
        peer = address
        guard let peerPolicy, !peerPolicy.allows(address) else { return 0 }
        problem = failure("the address it was sent to leads into a private network (\(address))", .unacceptable)
        return 1
    }

    func end(_ code: Int32, _ status: Int, _ text: String) {
        handle = nil
        do throws(ResponseSink.Problem) {
            let grown = try sink?.close(status: status, headers: headers, isWhole: code == 0) ?? 0
            if grown != 0 { request.progress?(grown) }
        } catch {
            problem = problem ?? failure(error)
        }
        if let problem { return finish(.failure(problem)) }
        guard code == 0 else { return finish(.failure(failure(text, TransportFailure.cause(code)))) }
        finish(
            .success(
                HTTPResponse(
                    status: status, headers: headers, body: sink?.memory ?? [], peer: peer.isEmpty ? nil : peer)))
    }
}
