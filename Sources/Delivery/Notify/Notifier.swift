internal import Base
public import Models
internal import Transport

/// Tells people and forges of deliveries.
///
/// Nothing that goes wrong here fails a delivery, or holds it up for more than some seconds.
public enum Notifier {
    /// Sends a notice to everybody who wants to hear of its status; what could not be sent is told to `say`, without addresses
    /// that are secrets.
    public static func send(
        _ notice: DeliveryNotice, _ settings: [NotifySettings], say: @escaping @Sendable (String) -> Void
    ) async {
        await send(notice, settings, variable: { environmentValue($0) }, say: say)
    }

    /// The same, with variables of one's own.
    static func send(
        _ notice: DeliveryNotice, _ settings: [NotifySettings], variable: @escaping @Sendable (String) -> String?,
        say: @escaping @Sendable (String) -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for one in settings where one.on.contains(notice.status) {
                group.addTask {
                    do { try await deliver(notice, one.way, variable) } catch {
                        say("notice: \(name(of: one.way)) was not told: \(reason(error))")
                    }
                }
            }
        }
    }

    private static func deliver(
        _ notice: DeliveryNotice, _ way: NotifySettings.Way, _ variable: (String) -> String?
    ) async throws {
        switch way {
        case .http(let address, let template):
            let body =
                try template.map { try Self.body($0, notice) } ?? JSON.object([.init("text", .string(notice.text))])
            try await post(url(address, variable), body, [:])
        case .status(let forge, let api, let repository, let token):
            guard let token = variable(token) else { throw NotifyFailure("the variable \(token) is not set") }
            let status = CommitStatus(notice)
            try await post(
                status.url(forge, api: api, repository: repository), status.body(forge),
                status.headers(forge, token: token))
        case .email(let recipients, let sender):
            try await Mail(notice, to: recipients, from: sender).send()
        }
    }

    private static func url(_ address: NotifySettings.Address, _ variable: (String) -> String?) throws -> String {
        switch address {
        case .plain(let url): return url
        case .variable(let name):
            guard let url = variable(name) else { throw NotifyFailure("the variable \(name) is not set") }
            return url
        }
    }

    static func body(_ template: String, _ notice: DeliveryNotice) throws -> JSON {
        do {
            return try JSON.parse(DeployTemplate.fill(template, notice.values))
        } catch {
            throw NotifyFailure("its json: does not give JSON: \(error)")
        }
    }

    /// What is busy or broken is asked once more.
    private static func post(_ url: String, _ body: JSON, _ headers: [String: String]) async throws {
        var headers = headers
        headers["Content-Type"] = "application/json"
        for attempt in 1...2 {
            let status = try await HTTPClient.send(
                "POST", url, headers: headers, body: .bytes(body.encoded()), timeout: .seconds(10), limit: 1 << 20
            ).status
            if (200..<300).contains(status) { return }
            guard attempt == 1, status == 429 || status >= 500 else { throw NotifyFailure("it answered \(status)") }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private static func name(of way: NotifySettings.Way) -> String {
        switch way {
        case .http(.variable(let name), _): "the address in \(name)"
        case .http(.plain(let url), _): url.split(separator: "/").dropFirst().first.map(String.init) ?? "an address"
        case .status(let forge, _, let repository, _): "\(forge.rawValue) (\(repository))"
        case .email(let recipients, _): recipients.joined(separator: ", ")
        }
    }

    /// Why, without an address: it may be a secret.
    private static func reason(_ error: any Error) -> String {
        (error as? TransportFailure)?.reason ?? "\(error)"
    }
}

/// Why somebody was not told.
struct NotifyFailure: Failure {
    let description: String
    var kind: FailureKind { .remote }
    init(_ description: String) { self.description = description }
}
