internal import Base
internal import Storage
internal import SystemPackage

extension DVCConfig {
    /// The remote of that name, or the default one; nil when there is none.
    func source(_ name: String?, settings: LFSSettings) throws -> KeyedObjects? {
        guard let name = name ?? self["core", "remote"]?.text else { return nil }
        guard remote(name, "url") != nil else { throw DVCFailure.unknownRemote(name, known: remotes) }
        if ["version_aware", "worktree"].contains(where: { remote(name, $0)?.text.lowercased() == "true" }) {
            throw DVCFailure.unusableRemote(name, reason: "it keeps versions under the files' own names")
        }
        return try context("cannot use the DVC remote “\(name)”") { try source(name, "", settings, depth: 0) }
    }

    private func source(_ name: String, _ below: String, _ settings: LFSSettings, depth: Int) throws -> KeyedObjects {
        guard let url = remote(name, "url"), depth < 5 else { throw DVCFailure.unknownRemote(name, known: remotes) }
        guard let mark = url.text.firstRange(of: "://") else {
            let folder = url.folder.pushing(FilePath(url.text)).lexicallyNormalized()
            return try KeyedObjects(folder.string + below)
        }
        let scheme = url.text[..<mark.lowerBound].lowercased()
        var rest = String(url.text[mark.upperBound...])
        while rest.hasSuffix("/") { rest.removeLast() }
        var environment = Daemon.currentEnvironment()
        switch scheme {
        case "remote":
            let base = rest.prefix { $0 != "/" }
            return try source(String(base), String(rest.dropFirst(base.count)) + below, settings, depth: depth + 1)
        case "s3": amazon(name, &environment)
        case "gs", "gcs":
            if let file = remote(name, "credentialpath"), file.isOwn {
                environment["GOOGLE_APPLICATION_CREDENTIALS"] = file.folder.pushing(FilePath(file.text)).string
            }
            return try KeyedObjects("gs://\(rest)\(below)", environment: environment)
        case "azure":
            let account = try azure(name, &environment)
            return try KeyedObjects("az://\(account)/\(rest)\(below)", environment: environment)
        case "ssh":
            let user = remote(name, "user").map { rest.contains("@") ? "" : $0.text + "@" } ?? ""
            var host = String(rest.prefix { $0 != "/" })
            rest.removeFirst(host.count)
            if let port = remote(name, "port")?.text, !host.contains(":") { host += ":\(port)" }
            return try KeyedObjects("ssh://\(user)\(host)\(rest)\(below)", settings: settings)
        case "http", "https", "file": break
        default: throw DVCFailure.unusableRemote(name, reason: "git-ml does not know \(scheme)://")
        }
        return try KeyedObjects("\(scheme)://\(rest)\(below)", environment: environment)
    }

    /// Lays a remote's settings over the environment.
    ///
    /// An endpoint that the committed file names may be anybody's: it gets the keys that are meant for this remote, and those of
    /// the environment only when the environment names the same endpoint.
    func amazon(_ name: String, _ environment: inout [String: String]) {
        if let endpoint = remote(name, "endpointurl") {
            if !endpoint.isOwn, environment["AWS_ENDPOINT_URL"] != endpoint.text {
                for key in ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE"] {
                    environment["AWS_" + key] = nil
                }
                environment["AWS_SHARED_CREDENTIALS_FILE"] = "/dev/null"
                environment["AWS_CONFIG_FILE"] = "/dev/null"
            }
            environment["AWS_ENDPOINT_URL"] = endpoint.text
        }
        for (key, variable) in [
            ("region", "AWS_REGION"), ("access_key_id", "AWS_ACCESS_KEY_ID"),
            ("secret_access_key", "AWS_SECRET_ACCESS_KEY"), ("session_token", "AWS_SESSION_TOKEN"),
        ] {
            if let value = remote(name, key) { environment[variable] = value.text }
        }
        // A profile is a name for the user's keys: with an endpoint of somebody else's it is the user who must say so.
        if let profile = remote(name, "profile"), profile.isOwn || remote(name, "endpointurl") == nil {
            environment["AWS_PROFILE"] = profile.text
        }
        if let file = remote(name, "credentialpath"), file.isOwn {
            environment["AWS_SHARED_CREDENTIALS_FILE"] = file.folder.pushing(FilePath(file.text)).string
        }
    }

    private func azure(_ name: String, _ environment: inout [String: String]) throws -> String {
        for (key, variable) in [
            ("account_key", "AZURE_STORAGE_KEY"), ("sas_token", "AZURE_STORAGE_SAS_TOKEN"),
            ("connection_string", "AZURE_STORAGE_CONNECTION_STRING"),
        ] {
            if let value = remote(name, key) { environment[variable] = value.text }
        }
        let connection = environment["AZURE_STORAGE_CONNECTION_STRING"] ?? ""
        let inConnection = connection.split(separator: ";").first { $0.lowercased().hasPrefix("accountname=") }
        guard
            let account = remote(name, "account_name")?.text ?? environment["AZURE_STORAGE_ACCOUNT"]
                ?? inConnection.map({ String($0.dropFirst("accountname=".count)) })
        else {
            throw DVCFailure.unusableRemote(name, reason: "nothing says which storage account it is (account_name)")
        }
        // The keys are this remote's when its own settings name them; otherwise the environment says whose they are.
        if ["account_key", "sas_token"].contains(where: { remote(name, $0) != nil }) {
            environment["AZURE_STORAGE_ACCOUNT"] = account
        }
        return account
    }
}
