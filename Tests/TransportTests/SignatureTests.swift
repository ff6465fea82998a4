import Base
import SystemPackage
import TestSupport
import Testing

@testable import Transport

/// Our signatures beside those that the vendors' own libraries make for the same requests.
struct SignatureTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func signed(_ requests: [JSON]) async throws -> [JSON] {
        let script = Places.package.appending("Tests").appending("Servers").appending("sign.py")
        let result = try await ChildProcess.run(
            Places.python.appending("python3").string, [script.string], in: folder.path, environment: [:],
            input: JSON.array(requests).encoded())
        guard result.status == 0 else {
            throw ProcessFailure.failed(command: "sign.py", status: result.status, errors: result.errors)
        }
        return try JSON.parse(result.text).array ?? []
    }

    private struct Request {
        var method: String
        var path: String
        var query: [(String, String)] = []
        var headers: [String: String] = [:]
        var token: String?

        func url(_ host: String) -> String {
            let text = query.map { "\(NetworkAddress.encode($0.0))=\(NetworkAddress.encode($0.1))" }.joined(
                separator: "&")
            return "https://\(host)\(NetworkAddress.encode(path, keep: "/"))" + (text.isEmpty ? "" : "?\(text)")
        }
    }

    private static let requests = [
        Request(method: "GET", path: "/bucket/"),
        Request(
            method: "GET", path: "/bucket/",
            query: [("list-type", "2"), ("prefix", "a b/"), ("start-after", "a b/0+é")]),
        Request(method: "POST", path: "/bucket/a b/é+=&/x~y", query: [("uploads", "")]),
        Request(method: "PUT", path: "/bucket/k", query: [("uploadId", "a/b+c="), ("partNumber", "10")]),
        Request(
            method: "PUT", path: "/bucket/k",
            headers: [
                "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                "Content-Type": "application/octet-stream",
            ]),
        Request(method: "HEAD", path: "/k", token: "FwoGZXIvYXdzE+/="),
        Request(
            method: "PUT", path: "/k", headers: ["Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "x-amz-meta-a": "  b   c "]),
    ]

    @Test func `requests to S3 are signed as botocore signs them`() async throws {
        let host = "bucket.s3.eu-central-1.amazonaws.com"
        var asked: [JSON] = []
        var ours: [String?] = []
        for (i, request) in Self.requests.enumerated() {
            let credentials = AWSCredentials(
                accessKey: "AKIDEXAMPLE", secretKey: "wJalr/XUt+n", sessionToken: request.token)
            let payload = i.isMultiple(of: 2) ? AWSSignature.unsigned : Digest.of("body").hex
            var sent = AWSSignature(credentials, region: "eu-central-1").sign(
                request.method, host: host, path: NetworkAddress.encode(request.path, keep: "/"),
                query: request.query.map { (NetworkAddress.encode($0.0), NetworkAddress.encode($0.1)) },
                headers: request.headers,
                payload: payload, at: Timestamp(seconds: 1_700_000_000))
            ours.append(sent.removeValue(forKey: "Authorization"))
            asked.append([
                "kind": "aws", "method": .string(request.method), "url": .string(request.url(host)),
                "headers": .sorted(sent), "access": "AKIDEXAMPLE", "secret": "wJalr/XUt+n",
                "token": .optional(request.token), "region": "eu-central-1",
            ])
        }
        let theirs = try await signed(asked)
        #expect(ours == theirs.map(\.string))
        #expect(ours.first??.hasPrefix("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-central-1/s3/") == true)
    }

    @Test func `requests to Azure are signed as Microsoft's library signs them`() async throws {
        let host = "acme.blob.core.windows.net"
        let key = Base64.encode(Array("a key of the account, never shown".utf8))
        let signature = try #require(AzureSignature(account: "acme", key: key))
        let requests = [
            Request(
                method: "GET", path: "/data",
                query: [("restype", "container"), ("comp", "list"), ("prefix", "a b/é+"), ("marker", "2!96!x=")]),
            Request(
                method: "PUT", path: "/data/a b/é/k", query: [("comp", "block"), ("blockid", "MDAwMDAwLWFi+/==")],
                headers: ["Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "Content-Length": "17"]),
            Request(
                method: "PUT", path: "/data/k",
                headers: [
                    "x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream", "Content-Length": "0",
                ]),
            Request(
                method: "PUT", path: "/data/k", query: [("comp", "blocklist")],
                headers: [
                    "x-ms-blob-content-type": "application/octet-stream", "Content-Type": "application/xml",
                    "Content-Length": "70",
                ]),
            Request(method: "GET", path: "/data/k", headers: ["x-ms-range": "bytes=1000-"]),
            Request(method: "HEAD", path: "/acme/data/k"),
        ]
        var asked: [JSON] = []
        var ours: [String?] = []
        for request in requests {
            var headers = request.headers
            headers["x-ms-version"] = "2021-12-02"
            let length = headers.removeValue(forKey: "Content-Length").flatMap { Int64($0) }
            var sent = signature.sign(
                request.method, path: NetworkAddress.encode(request.path, keep: "/"), query: request.query,
                headers: headers,
                length: length, at: Timestamp(seconds: 1_700_000_000))
            ours.append(sent.removeValue(forKey: "Authorization"))
            if let length { sent["Content-Length"] = "\(length)" }
            asked.append([
                "kind": "azure", "method": .string(request.method), "url": .string(request.url(host)),
                "headers": .sorted(sent), "account": "acme", "key": .string(key),
            ])
        }
        let theirs = try await signed(asked)
        #expect(ours == theirs.map(\.string))
    }

    @Test func `Google's library accepts our tokens`() async throws {
        let key = folder.path.appending("key.pem")
        let certificate = folder.path.appending("certificate.pem")
        let made = try await ChildProcess.run(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=robot", "-days", "2", "-keyout",
                key.string,
                "-out", certificate.string,
            ], in: folder.path, environment: [:], input: [])
        #expect(made.status == 0)
        let now = Timestamp.now().microseconds / 1_000_000
        let claims: JSON = ["iss": "robot", "aud": "there", "iat": .int(now), "exp": .int(now + 3600)]
        let token = try SignedToken.make(claims, key: try #require(try Files.readText(key)), keyID: "k1")
        let read = try await signed([
            ["kind": "jwt", "token": .string(token), "certificate": .string(try Files.readText(certificate) ?? "")]
        ])
        #expect(read.first?["iss"]?.string == "robot")
        #expect(read.first?["exp"]?.int == now + 3600)
    }

    @Test func `what is no key is refused`() {
        #expect(AzureSignature(account: "acme", key: "no base64!") == nil)
        #expect(AzureSignature(account: "acme", key: "") == nil)
        #expect(throws: (any Error).self) { try SignedToken.make(["a": 1], key: "no key", keyID: nil) }
    }
}
