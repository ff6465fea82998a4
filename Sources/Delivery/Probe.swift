internal import Base
internal import Transport

/// A request whose answer is known.
struct GoldenRequest {
    let path: String
    let body: JSON
    let status: Int64
    let expected: JSON?
    let tolerance: Double

    init(_ json: JSON, path file: String) throws {
        guard let path = json["path"]?.string, path.hasPrefix("/") else {
            throw Refusal("\(file): a golden request needs “path”, such as /invocations")
        }
        self.path = path
        body = json["body"] ?? .null
        status = json["expect"]?["status"]?.int ?? 200
        expected = json["expect"]?["body"]
        tolerance = json["expect"]?["tolerance"]?.double ?? 1e-9
    }

    /// Where an answer differs from what is expected; nil when it does not.
    ///
    /// Keys that are not expected do not count.
    func difference(_ actual: JSON) -> String? {
        expected.flatMap { Self.difference($0, actual, tolerance, at: "body") }
    }

    private static func difference(_ a: JSON, _ b: JSON, _ tolerance: Double, at place: String) -> String? {
        switch (a, b) {
        case (.object(let members), .object):
            for member in members {
                guard let value = b[member.key] else { return "\(place).\(member.key) is missing" }
                if let found = difference(member.value, value, tolerance, at: "\(place).\(member.key)") { return found }
            }
            return nil
        case (.array(let x), .array(let y)):
            guard x.count == y.count else { return "\(place) has \(y.count) items, not \(x.count)" }
            for (i, pair) in zip(x, y).enumerated() {
                if let found = difference(pair.0, pair.1, tolerance, at: "\(place)[\(i)]") { return found }
            }
            return nil
        default:
            if let x = a.double, let y = b.double, (x - y).magnitude <= tolerance { return nil }
            return a == b ? nil : "\(place) is \(b), not \(a)"
        }
    }
}

/// Asks a served model whether it is ready, whether it is the right one, and whether it answers as it should.
struct Probe {
    let path: String
    let request: GoldenRequest?
    let revision: String
    /// Whether an answer need not say its revision: a server that knows nothing of git-ml does not.
    var isRevisionOptional = false

    func check(_ address: ProbeAddress) async throws {
        let ready = try await ask(address, path, body: nil)
        guard ready.status == 200 else { throw ProbeFailure("\(path) answered \(ready.status)") }
        guard ready.revision == revision || (ready.revision == nil && isRevisionOptional) else {
            throw ProbeFailure("the answer comes from revision \(ready.revision ?? "unknown"), not from \(revision)")
        }
        guard let request else { return }
        let answer = try await ask(address, request.path, body: request.body)
        guard Int64(answer.status) == request.status else {
            throw ProbeFailure(
                "the golden request got \(answer.status), not \(request.status): \(answer.text.prefix(200))")
        }
        if request.expected != nil, let difference = request.difference((try? JSON.parse(answer.text)) ?? .null) {
            throw ProbeFailure("the golden request's answer differs: \(difference)")
        }
    }

    private func ask(_ address: ProbeAddress, _ path: String, body: JSON?) async throws -> (
        status: Int, revision: String?, text: String
    ) {
        let response = try await HTTPClient.send(
            body == nil ? "GET" : "POST", address.url + path,
            headers: body == nil ? [:] : ["Content-Type": "application/json"],
            body: body.map { .bytes($0.encoded()) } ?? .none)
        return (response.status, response.headers["x-model-revision"], String(decoding: response.body, as: UTF8.self))
    }
}

/// A served model that is not well.
struct ProbeFailure: Failure {
    let description: String
    var kind: FailureKind { .remote }
    init(_ description: String) { self.description = description }
}
