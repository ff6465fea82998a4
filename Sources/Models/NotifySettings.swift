internal import Base

/// One entry of `notify:`: who hears of a delivery.
public struct NotifySettings: Sendable, Equatable {
    /// The forges whose commits can bear a status.
    public enum Forge: String, CaseIterable, Sendable { case github, gitlab, gitea }

    /// An address, as it stands or as an environment variable of the runner says: many are secrets themselves.
    public enum Address: Sendable, Equatable {
        case plain(String)
        case variable(String)
    }

    public enum Way: Sendable, Equatable {
        /// A JSON body; the template is Mustache, by default what Slack, Mattermost and many others take.
        case http(Address, template: String?)
        /// The status of the commit at a forge.
        case status(Forge, api: String, repository: String, tokenVariable: String)
        case email(to: [String], from: String)
    }

    public let way: Way
    /// The results that are told of.
    public let on: Set<String>

    static let results = ["running", "succeeded", "failed", "refused", "rolled-back", "superseded"]

    public init(way: Way, on: Set<String>) {
        self.way = way
        self.on = on
    }

    /// Decodes `{url: …}`, `{url_env: NAME}`, `{status: github, repo: acme/churn, token_env: NAME}` or `{email: […], from: …}`.
    init(_ node: YAMLNode) throws {
        let fields = try node.fields([
            "url", "url_env", "json", "status", "api", "repo", "token_env", "email", "from", "on",
        ])
        let kinds = ["url", "url_env", "status", "email"].filter { fields[$0] != nil }
        guard kinds.count == 1, let kind = kinds.first else {
            throw node.failure("“\(node.path)” needs one of url, url_env, status and email")
        }
        switch kind {
        case "url":
            way = .http(.plain(try fields["url"].map { try $0.address() } ?? ""), template: try fields["json"]?.text())
        case "url_env":
            way = .http(.variable(try fields["url_env"]?.text() ?? ""), template: try fields["json"]?.text())
        case "status": way = try Self.status(node, fields)
        default:
            let addresses = try fields["email"].map { node in
                if case .list = node.value { try node.texts() } else { [try node.text()] }
            }
            let from = try fields["from"]?.text() ?? "git-ml@localhost"
            way = .email(to: addresses ?? [], from: from)
            for address in (addresses ?? []) + [from] where !Self.isMailAddress(address) {
                throw node.failure("“\(address)” is no mail address")
            }
        }
        let told = try fields["on"]?.texts()
        for result in told ?? [] where !Self.results.contains(result) {
            throw node.failure("“\(result)” is no result of a delivery: \(Self.results.joined(separator: ", "))")
        }
        // A commit's status begins when its delivery does; everybody else hears of ends.
        on = Set(told ?? Self.results.filter { kind == "status" || $0 != "running" })
    }

    private static func status(_ node: YAMLNode, _ fields: [String: YAMLNode]) throws -> Way {
        guard let forge = try fields["status"]?.choice(Forge.self), let repository = try fields["repo"]?.text(),
            let token = try fields["token_env"]?.text()
        else { throw node.failure("a commit's status needs repo: OWNER/NAME and token_env: VARIABLE") }
        let parts = repository.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && !part.allSatisfy { $0 == "." }
                && part.utf8.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                        || "-_.".utf8.contains($0)
                }
        }
        guard isPlain, parts.count >= 2 else { throw node.failure("“\(repository)” is no repository: OWNER/NAME") }
        let usual: [Forge: String] = [.github: "https://api.github.com", .gitlab: "https://gitlab.com"]
        guard let api = try fields["api"].map({ try $0.address() }) ?? usual[forge] else {
            throw node.failure("\(forge.rawValue) needs api: https://HOST")
        }
        return .status(forge, api: api, repository: repository, tokenVariable: token)
    }

    private static func isMailAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && !text.hasPrefix("-")
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && !",;:<>()[]\\\"".utf8.contains($0) }
    }
}

extension YAMLNode {
    /// An address of HTTP, without a slash at its end.
    fileprivate func address() throws -> String {
        var address = try text()
        guard address.hasPrefix("https://") || address.hasPrefix("http://"),
            address.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw failure("“\(path)” must be an address such as https://example.com/hook") }
        while address.hasSuffix("/") { address.removeLast() }
        return address
    }
}
