internal import Base
internal import Transport

extension AzureRemote {
    /// What a refusal means; `content` is what was asked for.
    func failure(_ answer: HTTPResponse, content: ContentID? = nil) -> any Failure {
        let error = XMLElement.parse(answer.body)
        let code = answer.headers["x-ms-error-code"] ?? error?["Code"]?.text ?? ""
        // The message goes on with a request's number and time on lines of their own.
        let message = error?["Message"]?.text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        let words = RemoteFailure.oneLine([code, message].filter { !$0.isEmpty }.joined(separator: ": "))
        func because(
            _ reason: RemoteFailure.Reason, _ detail: String, retryable: Bool? = nil, _ hints: String...
        ) -> RemoteFailure {
            RemoteFailure(
                reason, address: address, detail: "\(detail) (\(words.isEmpty ? "\(answer.status)" : words))",
                status: answer.status, retryable: retryable,
                retryAfter: RetryAfter.parse(answer.headers["retry-after"]), hints: hints)
        }
        switch code {
        case "BlobNotFound": if let content { return StorageFailure.missing(content.digest, remote: address) }
        case "ContainerNotFound":
            return because(
                .noSuchPlace, "the container “\(container)” does not exist",
                "make it: `az storage container create --account-name \(account) --name \(container)`")
        case "AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation":
            return because(
                .unauthorized, "the key or token is not accepted, or this machine's clock is wrong", keysHint)
        case "AuthorizationFailure", "AuthorizationPermissionMismatch", "AuthorizationServiceMismatch",
            "AuthorizationResourceTypeMismatch", "InsufficientAccountPermissions", "PublicAccessNotPermitted":
            return because(.forbidden, "access is denied", keysHint)
        case "ServerBusy": return because(.busy, "the service asks for fewer requests")
        case "OperationTimedOut", "InternalError": return because(.outOfOrder, "the service could not do it now")
        case "Md5Mismatch": return because(.unexpectedAnswer, "the bytes changed on their way", retryable: true)
        case "RequestBodyTooLarge": return because(.tooLarge, "the service takes nothing that large")
        default: break
        }
        if answer.status == 404, let content { return StorageFailure.missing(content.digest, remote: address) }
        return RemoteFailure(
            answer, address: address, words: words.isEmpty ? nil : words,
            hints: [401, 403].contains(answer.status) ? [keysHint] : [])
    }

    private var keysHint: String {
        isAnonymous
            ? "no key was found: set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING"
            : "check AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, and what they allow"
    }

    func noListing(_ answer: HTTPResponse) -> RemoteFailure {
        RemoteFailure(noListing: answer, of: "container", address: address)
    }
}
