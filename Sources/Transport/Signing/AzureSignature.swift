public import Base

/// Signs requests to Azure Blob Storage with an account's shared key (the service's "Shared Key" scheme of 2015).
public struct AzureSignature: Sendable {
    public let account: String
    private let key: [UInt8]

    /// Nil when the key is not base64.
    public init?(account: String, key: String) {
        guard let bytes = Base64.decode(key), !bytes.isEmpty else { return nil }
        self.account = account
        self.key = bytes
    }

    /// The headers that a request goes out with: those given, the date and the signature.
    ///
    /// `path` is percent-encoded, as it stands in the URL (for an emulator it begins with the account too); `query` has names
    /// and values decoded. No body and an empty one are the same.
    public func sign(
        _ method: String, path: String, query: [(String, String)], headers: [String: String], length: Int64?,
        at time: Timestamp = .now()
    ) -> [String: String] {
        var sent = headers
        sent["x-ms-date"] = HTTPDate.format(time)
        let text = text(method, path: path, query: query, headers: sent, length: length)
        sent["Authorization"] = "SharedKey \(account):\(Base64.encode(HMAC256.code(text, key: key)))"
        return sent
    }

    private func text(
        _ method: String, path: String, query: [(String, String)], headers: [String: String], length: Int64?
    ) -> String {
        let headers = Dictionary(headers.map { ($0.key.lowercased(), $0.value) }) { $1 }
        let standard = [
            "content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
            "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
        ].map { $0 == "content-length" ? length.map { $0 == 0 ? "" : "\($0)" } ?? "" : headers[$0] ?? "" }
        let own = headers.filter { $0.key.hasPrefix("x-ms-") }.sorted { $0.key < $1.key }
            .map { "\($0.key):\($0.value)" }
        let parameters = query.map { (name: $0.0.lowercased(), value: $0.1) }.sorted { $0.name < $1.name }
            .map { "\n\($0.name):\($0.value)" }
        return ([method] + standard + own).joined(separator: "\n") + "\n/\(account)\(path)" + parameters.joined()
    }
}
