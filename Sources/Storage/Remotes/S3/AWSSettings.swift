internal import Base
internal import SystemPackage
internal import Transport

/// What the environment and the user's own files say about S3: keys, region, endpoint.
///
/// As the AWS programs read them; nothing of it ever comes from a repository.
struct AWSSettings: Sendable {
    let credentials: AWSCredentials?
    let region: String?
    /// Of a store that is not Amazon's.
    let endpoint: String?

    init(_ environment: [String: String]) throws {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let name = value("AWS_PROFILE") ?? value("AWS_DEFAULT_PROFILE")
        let folder = FilePath(value("HOME") ?? "/").appending(".aws")
        let file = value("AWS_SHARED_CREDENTIALS_FILE").map { FilePath($0) } ?? folder.appending("credentials")
        let config = value("AWS_CONFIG_FILE").map { FilePath($0) } ?? folder.appending("config")
        let inKeys = Self.sections(try Files.readText(file) ?? "")
        let inConfig = Self.sections(try Files.readText(config) ?? "")
        let wanted = name ?? "default"
        let profile = (inConfig["profile \(wanted)"] ?? inConfig[wanted] ?? [:])
            .merging(inKeys[wanted] ?? [:]) { $1 }
        region = value("AWS_REGION") ?? value("AWS_DEFAULT_REGION") ?? profile["region"]
        endpoint = value("AWS_ENDPOINT_URL_S3") ?? value("AWS_ENDPOINT_URL") ?? profile["endpoint_url"]
        if let key = value("AWS_ACCESS_KEY_ID"), let secret = value("AWS_SECRET_ACCESS_KEY") {
            credentials = AWSCredentials(
                accessKey: key, secretKey: secret, sessionToken: value("AWS_SESSION_TOKEN"))
            return
        }
        if name != nil, profile.isEmpty {
            throw RemoteFailure(
                .refused, address: "s3", detail: "there is no AWS profile “\(wanted)” in \(config) or \(file)",
                hints: ["list the profiles with `aws configure list-profiles`"])
        }
        credentials = try Self.credentials(profile, name: wanted, environment)
    }

    private static func credentials(
        _ profile: [String: String], name: String, _ environment: [String: String]
    ) throws -> AWSCredentials? {
        if let key = profile["aws_access_key_id"], let secret = profile["aws_secret_access_key"] {
            return AWSCredentials(accessKey: key, secretKey: secret, sessionToken: profile["aws_session_token"])
        }
        if let indirect = ["sso_session", "sso_start_url", "role_arn", "credential_process", "web_identity_token_file"]
            .first(where: { profile[$0] != nil })
        {
            throw RemoteFailure(
                .unauthorized, address: "s3",
                detail: "the AWS profile “\(name)” gets its keys by \(indirect), which git-ml does not do itself",
                hints: ["let aws do it: `eval \"$(aws configure export-credentials --profile \(name) --format env)\"`"])
        }
        return nil
    }

    /// The settings of an INI file by section; nested ones (`s3 =` and indented lines) are passed over.
    static func sections(_ text: String) -> [String: [String: String]] {
        var found: [String: [String: String]] = [:]
        var section = ""
        for line in text.split(whereSeparator: \.isNewline) {
            if line.first?.isWhitespace == true || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                section = line[line.index(after: line.startIndex)..<end].split(separator: " ").joined(separator: " ")
                found[section] = found[section] ?? [:]
            } else if let equals = line.firstIndex(of: "=") {
                let value = line[line.index(after: equals)...].drop(while: \.isWhitespace)
                found[section]?[String(line[..<equals]).trimmingTrailingSpace.lowercased()] =
                    String(value).trimmingTrailingSpace
            }
        }
        return found
    }
}
