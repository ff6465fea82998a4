internal import Base
internal import Transport

extension S3Client {
    /// What a refusal means; `content` is what was asked for.
    func failure(_ answer: HTTPResponse, content: ContentID? = nil) -> any Failure {
        let error = XMLElement.parse(answer.body)
        let code = error?["Code"]?.text ?? ""
        let words = [code, error?["Message"]?.text ?? ""].filter { !$0.isEmpty }.joined(separator: ": ")
        func because(
            _ reason: RemoteFailure.Reason, _ detail: String, retryable: Bool? = nil, _ hints: String...
        ) -> RemoteFailure {
            RemoteFailure(
                reason, address: address,
                detail: "\(detail) (\(words.isEmpty ? "\(answer.status)" : RemoteFailure.oneLine(words)))",
                status: answer.status, retryable: retryable,
                retryAfter: RetryAfter.parse(answer.headers["retry-after"]),
                hints: hints)
        }
        switch code {
        case "NoSuchKey": if let content { return StorageFailure.missing(content.digest, remote: address) }
        case "NoSuchBucket":
            return because(
                .noSuchPlace, "the bucket “\(bucket)” does not exist",
                isGoogle
                    ? "make it: `gcloud storage buckets create gs://\(bucket)`" : "make it: `aws s3 mb s3://\(bucket)`")
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSecurity", "InvalidToken":
            return because(.unauthorized, "the keys are not accepted", Self.keysHint(isGoogle))
        case "ExpiredToken", "TokenRefreshRequired":
            return because(
                .unauthorized, "the session token has expired", "log in again, for example with `aws sso login`")
        case "AccessDenied", "AllAccessDisabled", "AccountProblem":
            return because(.forbidden, "access is denied", accessHint)
        case "RequestTimeTooSkewed", "RequestExpired":
            return because(
                .refused, "this machine's clock is wrong, so signatures are refused",
                "set the clock: `timedatectl set-ntp true`; now it says \(Timestamp.now().wholeSeconds)")
        case "SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests", "ServiceUnavailable", "Busy":
            return because(.busy, "the store asks for fewer requests")
        case "RequestTimeout", "InternalError", "OperationAborted":
            return because(.outOfOrder, "the store could not do it now", retryable: true)
        case "BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "XAmzContentChecksumMismatch":
            return because(.unexpectedAnswer, "the bytes changed on their way to the store", retryable: true)
        case "EntityTooLarge", "MaxMessageLengthExceeded":
            return because(.tooLarge, "the store takes nothing that large")
        default: break
        }
        if answer.status == 404, let content { return StorageFailure.missing(content.digest, remote: address) }
        let hint = [401: Self.keysHint(isGoogle), 403: accessHint][answer.status]
        return RemoteFailure(
            answer, address: address, words: words.isEmpty ? nil : words, hints: hint.map { [$0] } ?? [])
    }

    private static func keysHint(_ isGoogle: Bool) -> String {
        isGoogle
            ? "check GOOGLE_APPLICATION_CREDENTIALS, or the HMAC keys in GS_ACCESS_KEY_ID and GS_SECRET_ACCESS_KEY"
            : "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE and ~/.aws/credentials"
    }

    private var accessHint: String {
        if isAnonymous {
            return "no keys were found: set "
                + (isGoogle
                    ? "GOOGLE_APPLICATION_CREDENTIALS" : "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
        }
        return "git-ml needs to list the bucket and to get and put objects (s3:ListBucket, s3:GetObject, s3:PutObject)"
    }
}
