internal import Base
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import SystemPackage

extension WebResponder {
    /// The arguments in an address.
    static func query(_ request: Request) -> [String: [String]] {
        var query: [String: [String]] = [:]
        for pair in (request.uri.query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let key = parts.first.flatMap({ PercentCode.decode($0, plusIsSpace: true) }) else { continue }
            let value = parts.count > 1 ? PercentCode.decode(parts[1], plusIsSpace: true) : ""
            if let value { query[key, default: []].append(value) }
        }
        return query
    }

    static func json(_ json: JSON) -> Response { answer(.ok, "application/json", json.encoded()) }

    static func text(_ text: String) -> Response { answer(.ok, "text/html; charset=utf-8", Array(text.utf8)) }

    static func failure(_ failure: MLflowFailure, status: HTTPResponse.Status? = nil) -> Response {
        var response = answer(
            status ?? HTTPResponse.Status(code: failure.code.status), "application/json", failure.json.encoded())
        if failure.code == .unauthenticated { response.headers[.wwwAuthenticate] = #"Basic realm="mlflow""# }
        return response
    }

    static func page(_ status: HTTPResponse.Status, _ title: String, _ words: String) -> Response {
        let text =
            "<!doctype html>\n<html lang=en>\n<title>\(status.code) \(title)</title>\n<h1>\(title)</h1>\n<p>\(words)</p>\n"
        return answer(status, "text/html; charset=utf-8", Array(text.utf8))
    }

    static func file(_ bytes: [UInt8], _ name: String) -> Response {
        var response = answer(.ok, "application/octet-stream", bytes)
        response.headers[.contentDisposition] = FileAnswer.disposition(name)
        return response
    }

    private static func answer(_ status: HTTPResponse.Status, _ type: String, _ bytes: [UInt8]) -> Response {
        var headers = HTTPFields()
        headers[.contentType] = type
        headers[.contentLength] = String(bytes.count)
        headers[.xContentTypeOptions] = "nosniff"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// A file, or a range of it, sent piece by piece.
struct FileAnswer {
    private static let piece = 256 << 10

    private let file: FilePath
    private let size: Int64
    private let tag: String
    private let name: String

    init(_ file: FilePath, size: Int64, digest: Digest, name: String) {
        self.file = file
        self.size = size
        tag = "\"\(digest.hex)\""
        self.name = name
    }

    static func disposition(_ name: String) -> String { "attachment; filename*=UTF-8''\(PercentCode.encode(name))" }

    func response(_ request: Request) throws -> Response {
        var headers = HTTPFields()
        headers[.contentType] = "application/octet-stream"
        headers[.contentDisposition] = Self.disposition(name)
        headers[.xContentTypeOptions] = "nosniff"
        headers[.acceptRanges] = "bytes"
        headers[.eTag] = tag
        var range: Range<Int64> = 0..<size
        var status = HTTPResponse.Status.ok
        let isSame = request.headers[.ifRange].map { $0 == tag } ?? true
        if let text = request.headers[.range], isSame {
            switch Self.range(text, size: size) {
            case .whole: break
            case .part(let part):
                (range, status) = (part, .partialContent)
                headers[.contentRange] = "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(size)"
            case .none:
                headers[.contentRange] = "bytes */\(size)"
                return Response(status: .rangeNotSatisfiable, headers: headers)
            }
        }
        let (file, part) = (file, range)
        let body = ResponseBody(contentLength: Int(part.count)) { writer in
            var at = part.lowerBound
            while at < part.upperBound {
                let count = Int(min(Int64(Self.piece), part.upperBound - at))
                let bytes = try Files.read(file, from: at, limit: count)
                guard bytes.count == count else { throw MLflowFailure(.internal, "\(file) is shorter than it was") }
                try await writer.write(ByteBuffer(bytes: bytes))
                at += Int64(count)
            }
            try await writer.finish(nil)
        }
        headers[.contentLength] = String(part.count)
        return Response(status: status, headers: headers, body: body)
    }

    enum Part: Equatable {
        case whole
        case part(Range<Int64>)
        /// Nothing of the file is in the range.
        case none
    }

    /// Reads `bytes=0-99`, `bytes=100-`, `bytes=-10`; several ranges, and what is none, mean the whole file.
    static func range(_ text: String, size: Int64) -> Part {
        guard let list = text.dropping(prefix: "bytes="), !list.contains(",") else { return .whole }
        let parts = list.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return .whole }
        switch (Int64(parts[0]), Int64(parts[1])) {
        case (let first?, nil) where parts[1].isEmpty && first >= 0:
            return first < size ? .part(first..<size) : .none
        case (nil, let count?) where parts[0].isEmpty && count >= 0:
            return count > 0 && size > 0 ? .part(max(0, size - count)..<size) : .none
        case (let first?, let last?) where first >= 0 && last >= first:
            return first < size ? .part(first..<min(size, last + 1)) : .none
        default: return .whole
        }
    }
}
