internal import Base
internal import Transport

/// What the environment says about Azure Blob Storage: keys and endpoint of one account.
///
/// The names are those of Microsoft's own programs. A token or key that is meant for another account than the address
/// names is not used: a repository must not be able to send it elsewhere.
struct AzureSettings: Sendable {
    enum Authorization: Sendable {
        case anonymous
        case key(AzureSignature)
        /// A shared access signature: names and values, decoded.
        case token([(String, String)])
    }

    let endpoint: NetworkAddress
    let authorization: Authorization

    init(account: String, _ environment: [String: String]) throws {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let connection = Self.fields(value("AZURE_STORAGE_CONNECTION_STRING") ?? "")
        let owner = value("AZURE_STORAGE_ACCOUNT") ?? connection["accountname"]
        let suffix = connection["endpointsuffix"] ?? "core.windows.net"
        let isOwn = owner == nil || owner == account
        let text =
            (isOwn ? value("AZURE_STORAGE_SERVICE_ENDPOINT") ?? connection["blobendpoint"] : nil)
            ?? "\(connection["defaultendpointsprotocol"] ?? "https")://\(account).blob.\(suffix)"
        guard let endpoint = NetworkAddress(text), ["http", "https"].contains(endpoint.scheme) else {
            throw Self.failure(account, "“\(NetworkAddress.withoutSecrets(text))” is no http or https address")
        }
        self.endpoint = endpoint
        let key = value("AZURE_STORAGE_KEY") ?? connection["accountkey"]
        let token = value("AZURE_STORAGE_SAS_TOKEN") ?? connection["sharedaccesssignature"]
        guard key != nil || token != nil else {
            authorization = .anonymous
            return
        }
        guard isOwn, token == nil || key != nil || owner != nil || connection["blobendpoint"] != nil else {
            throw Self.failure(
                account,
                owner.map { "the keys in the environment are those of the account “\($0)”" }
                    ?? "nothing says that the token in the environment is meant for this account",
                "if they are meant for this one: `export AZURE_STORAGE_ACCOUNT=\(account)`")
        }
        if let key {
            guard let signature = AzureSignature(account: account, key: key) else {
                throw Self.failure(account, "the account key is not base64", "check AZURE_STORAGE_KEY")
            }
            authorization = .key(signature)
        } else {
            authorization = .token(Self.query(token ?? ""))
        }
    }

    private static func failure(_ account: String, _ detail: String, _ hints: String...) -> RemoteFailure {
        RemoteFailure(.unauthorized, address: "az://\(account)", detail: detail, hints: hints)
    }

    /// `AccountName=…;AccountKey=…`, by lower-case name.
    static func fields(_ text: String) -> [String: String] {
        var found: [String: String] = [:]
        for field in text.split(separator: ";") {
            guard let equals = field.firstIndex(of: "=") else { continue }
            found[field[..<equals].lowercased()] = String(field[field.index(after: equals)...])
        }
        return found
    }

    static func query(_ text: String) -> [(String, String)] {
        text.split { $0 == "&" || $0 == "?" }.map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                NetworkAddress.decode(String(parts[0])), parts.count > 1 ? NetworkAddress.decode(String(parts[1])) : ""
            )
        }
    }
}
