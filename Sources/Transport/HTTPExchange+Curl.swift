internal import Base
internal import CurlShim

extension HTTPExchange {
    /// The certificates to trust instead of the system's, by the variables that curl, OpenSSL and git read.
    private static let certificates = ["CURL_CA_BUNDLE", "SSL_CERT_FILE", "GIT_SSL_CAINFO"].lazy
        .compactMap { environmentValue($0) }.first { !$0.isEmpty }

    /// Hands the request to curl, which keeps this object until the end.
    func start(_ session: OpaquePointer, _ lines: [String]) -> UnsafeMutableRawPointer? {
        let copies = lines.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        let headers = copies.map { UnsafePointer($0) } + [nil]
        return request.method.withCString { method in
            request.url.withCString { url in
                headers.withUnsafeBufferPointer { headers in
                    let tls = request.tls
                    let optional = [tls.authorities ?? Self.certificates, tls.certificate, tls.key, request.proxy]
                    return Self.withOptionalCStrings(optional) { optional in
                        var call = curlshim_request()
                        call.method = method
                        call.url = url
                        call.headers = headers.baseAddress
                        call.body_size = bodySize
                        call.timeout_ms = Int((request.timeout?.inSeconds ?? 0) * 1000)
                        call.idle_s = max(1, Int(request.patience.inSeconds))
                        call.ca_bundle = optional[0]
                        call.certificate = optional[1]
                        call.key = optional[2]
                        call.proxy = optional[3]
                        call.insecure = tls.verifies ? 0 : 1
                        Self.setCallbacks(&call)
                        call.context = Unmanaged.passUnretained(self).toOpaque()
                        return curlshim_begin(session, &call)
                    }
                }
            }
        }
    }

    private static func withOptionalCStrings<T>(_ texts: [String?], _ body: ([UnsafePointer<CChar>?]) -> T) -> T {
        let copies = texts.map { $0.flatMap { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        return body(copies.map { $0.map { UnsafePointer($0) } })
    }

    private static func setCallbacks(_ call: inout curlshim_request) {
        call.on_send = { bytes, count, context in
            guard let bytes, let exchange = HTTPExchange.of(context) else { return curlshim_stop }
            return exchange.send(into: UnsafeMutableRawBufferPointer(start: bytes, count: count))
        }
        call.on_seek = { offset, context in HTTPExchange.of(context)?.seek(to: offset) ?? 1 }
        call.on_header = { bytes, count, context in
            guard let bytes, let exchange = HTTPExchange.of(context) else { return 0 }
            exchange.take(header: UnsafeRawBufferPointer(start: bytes, count: count))
            return count
        }
        call.on_body = { bytes, count, context in
            guard let bytes, let exchange = HTTPExchange.of(context) else { return 0 }
            return exchange.take(body: UnsafeRawBufferPointer(start: bytes, count: count))
        }
        call.on_connect = { address, context in
            guard let address, let exchange = HTTPExchange.of(context) else { return 1 }
            return exchange.connected(String(cString: address))
        }
        call.on_end = { code, status, text, context in
            HTTPExchange.of(context)?.end(code, status, text.map { String(cString: $0) } ?? "")
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer?) -> HTTPExchange? {
        context.map { Unmanaged<HTTPExchange>.fromOpaque($0).takeUnretainedValue() }
    }
}
