import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Web

/// The endpoints, asked without a server between.
struct MLflowAPITests {
    private let sandbox: Sandbox
    private let api: MLflowAPI

    init() async throws {
        sandbox = try Sandbox()
        try await sandbox.repository()
        let repository = try Repository(sandbox.path.appending("work"))
        api = MLflowAPI(Ledger(repository) { try RunStore(repository) })
    }

    /// Asks, and returns what is answered; an error is its code and message.
    @discardableResult
    private func ask(_ method: String, _ path: String, _ body: JSON = [:]) async throws -> JSON {
        do {
            let call =
                method == "GET"
                ? Call(method, path, query: query(body)) : Call(method, path, body: body.encoded())
            guard case .json(let json) = try await api.answer(call) else { return .null }
            return json
        } catch let failure as MLflowFailure {
            return ["error": .string(failure.code.rawValue), "message": .string(failure.message)]
        } catch is RouteFailure {
            return ["error": "route"]
        }
    }

    private func query(_ body: JSON) -> [String: [String]] {
        Dictionary(
            (body.members ?? []).map { member in
                (member.key, member.value.array?.compactMap(\.string) ?? [member.value.string ?? "\(member.value)"])
            }
        ) { $1 }
    }

    private func makeRun(_ more: [(String, JSON)] = []) async throws -> String {
        let members = [("experiment_id", "0" as JSON), ("start_time", 1_000_000), ("user_id", "ann")] + more
        let answer = try await ask("POST", "runs/create", .object(members.map { JSON.Member($0.0, $0.1) }))
        return try #require(answer["run"]?["info"]?["run_id"]?.string)
    }

    private func run(_ id: String) async throws -> JSON {
        try await ask("GET", "runs/get", ["run_id": .string(id)])["run"] ?? .null
    }

    // MARK: Experiments

    @Test func `experiments are made once, found, renamed, tagged, deleted and restored`() async throws {
        #expect(
            try await ask("GET", "experiments/get-by-name", ["experiment_name": "e"])["message"]
                == "Could not find experiment with name 'e'")
        let id = try await ask("POST", "experiments/create", ["name": "e", "tags": [["key": "a", "value": "1"]]])[
            "experiment_id"]
        #expect(id == .string(MLflowWriter.experimentID("e")))
        #expect(try await ask("POST", "experiments/create", ["name": "e"])["error"] == "RESOURCE_ALREADY_EXISTS")
        let found = try await ask("GET", "experiments/get", ["experiment_id": id ?? .null])["experiment"]
        #expect(found?["name"] == "e" && found?["lifecycle_stage"] == "active")
        #expect(found?["tags"] == [["key": "a", "value": "1"]])
        #expect(try await ask("POST", "experiments/update", ["experiment_id": id ?? .null, "new_name": "f"]) == [:])
        #expect(
            try await ask("GET", "experiments/get-by-name", ["experiment_name": "f"])["experiment"]?["experiment_id"]
                == id)
        try await ask(
            "POST", "experiments/set-experiment-tag", ["experiment_id": id ?? .null, "key": "b", "value": "2"])
        #expect(try await ask("POST", "experiments/delete", ["experiment_id": id ?? .null]) == [:])
        #expect(
            try await ask("POST", "experiments/update", ["experiment_id": id ?? .null, "new_name": "g"])["error"]
                == "INVALID_STATE")
        #expect(
            try await ask("POST", "runs/create", ["experiment_id": id ?? .null])["error"] == "INVALID_PARAMETER_VALUE")
        let deleted = try await ask("POST", "experiments/search", ["max_results": 10, "view_type": "DELETED_ONLY"])
        #expect(deleted["experiments"]?.array?.count == 1)
        #expect(try await ask("POST", "experiments/restore", ["experiment_id": id ?? .null]) == [:])
        let all = try await ask("POST", "experiments/search", ["max_results": 1, "order_by": ["name ASC"]])
        #expect(all["experiments"]?.array?.map { $0["name"] } == ["Default"])
        let next = try #require(all["next_page_token"])
        let rest = try await ask(
            "POST", "experiments/search", ["max_results": 1, "order_by": ["name ASC"], "page_token": next])
        #expect(rest["experiments"]?.array?.map { $0["name"] } == ["f"])
        #expect(rest["next_page_token"] == nil)
    }

    struct Wrong: Sendable {
        let method: String
        let path: String
        let body: JSON
        let code: String
        let message: String

        init(_ method: String, _ path: String, _ body: JSON, _ code: String, _ message: String) {
            (self.method, self.path, self.body, self.code, self.message) = (method, path, body, code, message)
        }
    }

    @Test(arguments: [
        Wrong(
            "POST", "experiments/create", [:], "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'name'."
        ),
        Wrong(
            "POST", "experiments/create", ["name": 123], "INVALID_PARAMETER_VALUE",
            "Invalid value 123 for parameter 'name'"),
        Wrong(
            "GET", "experiments/get", ["experiment_id": "99"], "RESOURCE_DOES_NOT_EXIST",
            "No Experiment with id=99 exists"),
        Wrong(
            "GET", "experiments/get", ["experiment_id": "abc"], "INVALID_PARAMETER_VALUE", "Invalid experiment ID 'abc'"
        ),
        Wrong("GET", "runs/get", ["run_id": "abc"], "RESOURCE_DOES_NOT_EXIST", "Run with id=abc not found"),
        Wrong(
            "GET", "runs/get", ["run_id": "../x"], "RESOURCE_DOES_NOT_EXIST", "Run with id=../x not found"),
        Wrong(
            "POST", "runs/log-metric", ["run_id": "../x", "key": "a", "value": 1, "timestamp": 1],
            "INVALID_PARAMETER_VALUE", "Invalid value \"../x\" for parameter 'run_id'"),
        Wrong(
            "POST", "runs/search", ["filter": "params.a > 'x'"], "INVALID_PARAMETER_VALUE",
            "Invalid comparator '>' not one of '{'!=', '=', 'ILIKE', 'LIKE', 'IS NOT NULL', 'IS NULL'}'"),
        Wrong(
            "POST", "runs/search", ["filter": "metrics.a IS NULL"], "INVALID_PARAMETER_VALUE",
            "IS NULL / IS NOT NULL is only supported for tags and params, not for 'metric' 'a'"),
        Wrong(
            "POST", "runs/search", ["filter": "attributes.run_name IN ('a')"], "INVALID_PARAMETER_VALUE",
            "Only ['run_id'] attributes support comparison"),
        Wrong(
            "POST", "runs/search", ["filter": "run_id IN ()"], "INVALID_PARAMETER_VALUE",
            "While parsing a list in the query, expected a non-empty list"),
        Wrong(
            "POST", "experiments/search", ["filter": "nope = 'x'"], "INVALID_PARAMETER_VALUE",
            "Invalid attribute key 'nope' specified. Valid keys are '{'creation_time', 'experiment_id',"),
        Wrong(
            "GET", "registered-models/search", ["filter": "metrics.a > 1"], "INVALID_PARAMETER_VALUE",
            "Invalid entity type 'metric'"),
        Wrong(
            "GET", "model-versions/search", ["max_results": "0"], "INVALID_PARAMETER_VALUE",
            "Invalid value for max_results. It must be a positive integer, but got 0"),
        Wrong(
            "POST", "logged-models/search", [:], "INVALID_PARAMETER_VALUE",
            "Missing value for required parameter 'experiment_ids'."),
        Wrong(
            "POST", "experiments/search-datasets", [:], "INVALID_PARAMETER_VALUE",
            "SearchDatasets request must specify at least one experiment_id."),
        Wrong(
            "POST", "runs/search", ["filter": "metrics.a > 1 or metrics.b > 1"], "INVALID_PARAMETER_VALUE",
            "Invalid clause"),
        Wrong(
            "POST", "runs/search", ["max_results": 50_001], "INVALID_PARAMETER_VALUE",
            "Invalid value 50001 for parameter 'max_results'"),
        Wrong(
            "GET", "registered-models/get", ["name": "x"], "RESOURCE_DOES_NOT_EXIST",
            "Registered Model with name=x not found"),
        Wrong(
            "POST", "registered-models/create", ["name": "a/b"], "INVALID_PARAMETER_VALUE", "Invalid model name 'a/b'"),
        Wrong(
            "GET", "model-versions/get", ["name": "x", "version": "a"], "INVALID_PARAMETER_VALUE",
            "Parameter 'version' must be an integer"),
        Wrong("GET", "logged-models/m-1", [:], "RESOURCE_DOES_NOT_EXIST", "Logged model with ID 'm-1' not found."),
        Wrong(
            "GET", "metrics/get-history-bulk-interval", ["metric_key": "a"], "INVALID_PARAMETER_VALUE",
            "Missing value for required parameter 'run_ids'."),
        Wrong("POST", "no/such", [:], "route", ""), Wrong("PUT", "runs/create", [:], "route", ""),
    ])
    func `what is wrong is told in MLflow's words`(wrong: Wrong) async throws {
        let answer = try await ask(wrong.method, wrong.path, wrong.body)
        #expect(answer["error"]?.string == wrong.code, "\(answer)")
        #expect(answer["message"]?.string?.hasPrefix(wrong.message) ?? wrong.message.isEmpty, "\(answer)")
    }

    // MARK: Repetitions

    @Test func `a run that a dead server has begun is the answer to the same request, until somebody logs to it`()
        async throws
    {
        let request: JSON = [
            "experiment_id": "0", "start_time": .int(Timestamp.now().milliseconds), "run_name": "once",
        ]
        func begin(_ server: MLflowAPI) async throws -> String {
            guard case .json(let json) = try await server.answer(Call("POST", "runs/create", body: request.encoded()))
            else { return "" }
            return try #require(json["run"]?["info"]?["run_id"]?.string)
        }
        let repository = api.repository
        let first = try await begin(api)
        // Two who ask one server in the same millisecond are two.
        #expect(try await begin(api) != first)
        let next = MLflowAPI(Ledger(repository) { try RunStore(repository) })
        #expect(try await begin(next) == first)
        try await ask(
            "POST", "runs/log-metric", ["run_id": .string(first), "key": "a", "value": 1, "timestamp": 1.6e12])
        let last = MLflowAPI(Ledger(repository) { try RunStore(repository) })
        #expect(try await begin(last) != first)
        #expect(try await run(first)["data"]?["metrics"]?.array?.first?["timestamp"] == 1_600_000_000_000)
    }

    // MARK: Logging

    @Test func `what is logged is read back, a retry changes nothing, and an ended run takes more`() async throws {
        let id = try await makeRun([("run_name", "r")])
        for _ in 0..<2 {
            #expect(
                try await ask("POST", "runs/log-parameter", ["run_id": .string(id), "key": "lr", "value": "0.1"]) == [:]
            )
            #expect(
                try await ask(
                    "POST", "runs/log-metric",
                    ["run_id": .string(id), "key": "loss", "value": "NaN", "timestamp": 5, "step": 1]) == [:])
        }
        for key in ["step", "time"] {
            try await ask(
                "POST", "runs/log-batch",
                ["run_id": .string(id), "metrics": [["key": .string(key), "value": 2, "timestamp": 7, "step": 3]]])
        }
        let changed = try await ask("POST", "runs/log-parameter", ["run_id": .string(id), "key": "lr", "value": "0.2"])
        #expect(
            changed["message"]?.string?.hasPrefix("Changing param values is not allowed. Param with key='lr'") == true)
        #expect(
            try await ask("POST", "runs/delete-tag", ["run_id": .string(id), "key": "no"])["error"]
                == "RESOURCE_DOES_NOT_EXIST")
        let end: JSON = ["run_id": .string(id), "status": "FINISHED", "end_time": 1_005_000]
        for _ in 0..<2 {
            let answer = try await ask("POST", "runs/update", end)
            #expect(answer["run_info"]?["status"] == "FINISHED" && answer["run_info"]?["end_time"] == 1_005_000)
        }
        try await ask(
            "POST", "runs/log-metric", ["run_id": .string(id), "key": "late", "value": 1.5, "timestamp": 9, "step": 0])
        try await ask("POST", "runs/set-tag", ["run_id": .string(id), "key": "t", "value": "v"])
        for isFolded in [false, true] {
            if isFolded { try api.ledger.fold() }
            let run = try await run(id)
            #expect(run["info"]?["status"] == "FINISHED" && run["info"]?["start_time"] == 1_000_000)
            #expect(run["data"]?["params"] == [["key": "lr", "value": "0.1"]])
            let metrics = run["data"]?["metrics"]?.array ?? []
            #expect(metrics.map { $0["key"] } == ["late", "loss", "step", "time"])
            #expect(metrics.map { $0["value"] } == [1.5, "NaN", 2.0, 2.0])
            #expect(run["data"]?["tags"]?.array?.contains(["key": "t", "value": "v"]) == true)
            let history = try await ask("GET", "metrics/get-history", ["run_id": .string(id), "metric_key": "loss"])
            #expect(history["metrics"]?.array?.count == 1)
            #expect(history["metrics"]?.array?.first?["timestamp"] == 5)
        }
        // Taken up again, it goes on and ends anew.
        #expect(
            try await ask("POST", "runs/update", ["run_id": .string(id), "status": "RUNNING"])["run_info"]?["status"]
                == "RUNNING")
        try await ask(
            "POST", "runs/log-metric", ["run_id": .string(id), "key": "late", "value": 2.5, "timestamp": 10, "step": 1])
        #expect(
            try await ask("POST", "runs/update", ["run_id": .string(id), "status": "FAILED"])["run_info"]?["status"]
                == "FAILED")
        try api.ledger.fold()
        let late = try await ask("GET", "metrics/get-history", ["run_id": .string(id), "metric_key": "late"])
        #expect(late["metrics"]?.array?.map { $0["value"] } == [1.5, 2.5])
        #expect(try await run(id)["info"]?["status"] == "FAILED")
    }

    @Test func `limits and wrong values are refused, and nothing of such a batch is logged`() async throws {
        let id = try await makeRun()
        func batch(_ members: [JSON.Member]) async throws -> JSON {
            try await ask("POST", "runs/log-batch", .object([JSON.Member("run_id", .string(id))] + members))
        }
        func metric(_ key: String, _ value: JSON = 1, _ time: JSON = 1) -> JSON {
            ["key": .string(key), "value": value, "timestamp": time, "step": 0]
        }
        let many = JSON.array((0..<1001).map { metric("m\($0)") })
        #expect(
            try await batch([JSON.Member("metrics", many)])["message"]?.string?.hasPrefix(
                "A batch logging request can contain at most 1000 metrics. Got 1001 metrics.") == true)
        for bad in [metric("a/../b"), metric("a", "x"), metric("a", nil), metric("a", 1, -1)] {
            #expect(
                try await batch([JSON.Member("metrics", .array([metric("good"), bad]))])["error"]
                    == "INVALID_PARAMETER_VALUE")
        }
        let twice: JSON = [["key": "p", "value": "1"], ["key": "p", "value": "2"]]
        #expect(try await batch([JSON.Member("params", twice)])["error"] == "INVALID_PARAMETER_VALUE")
        let run = try await run(id)
        #expect(run["data"]?["metrics"] == nil && run["data"]?["params"] == nil)
        let long = String(repeating: "x", count: 9000)
        #expect(try await batch([JSON.Member("params", [["key": "p", "value": .string(long)]])]) == [:])
        #expect(try await self.run(id)["data"]?["params"]?.array?.first?["value"]?.string?.count == 6000)
        try await ask("POST", "runs/delete", ["run_id": .string(id)])
        #expect(try await batch([JSON.Member("metrics", [metric("a")])])["error"] == "INVALID_PARAMETER_VALUE")
    }

    @Test func `runs are searched in MLflow's grammar, page by page, deleted ones apart`() async throws {
        try await ask("POST", "experiments/create", ["name": "other"])
        var ids: [String] = []
        for i in 0..<5 {
            let id = try await makeRun([
                ("run_name", .string("r\(i)")), ("tags", [["key": "n", "value": .string("\(i % 2)")]]),
            ])
            ids.append(id)
            if i < 4 {
                try await ask(
                    "POST", "runs/log-metric",
                    ["run_id": .string(id), "key": "loss", "value": .int(Int64(10 - i)), "timestamp": 1])
            }
            if i < 3 { try await ask("POST", "runs/update", ["run_id": .string(id), "status": "FINISHED"]) }
            if i == 1 { try api.ledger.fold() }
        }
        func names(_ more: JSON) async throws -> [String] {
            let members = [JSON.Member("experiment_ids", ["0"])] + (more.members ?? [])
            let answer = try await ask("POST", "runs/search", .object(members))
            return answer["runs"]?.array?.compactMap { $0["info"]?["run_name"]?.string } ?? ["\(answer)"]
        }
        #expect(try await names(["order_by": ["metrics.loss ASC"]]) == ["r3", "r2", "r1", "r0", "r4"])
        #expect(try await names(["order_by": ["metrics.loss DESC"]]) == ["r0", "r1", "r2", "r3", "r4"])
        #expect(try await names(["filter": "metrics.loss > 8 and tags.n = '1'"]) == ["r1"])
        #expect(Set(try await names(["filter": "attributes.status = 'RUNNING'"])) == ["r3", "r4"])
        #expect(try await names(["filter": .string("attributes.run_id IN ('\(ids[2])')")]) == ["r2"])
        var token: JSON?
        var seen: [String] = []
        repeat {
            let answer = try await ask(
                "POST", "runs/search",
                [
                    "experiment_ids": ["0"], "max_results": 2, "order_by": ["metrics.loss ASC"],
                    "page_token": token ?? .null,
                ])
            seen += answer["runs"]?.array?.compactMap { $0["info"]?["run_name"]?.string } ?? []
            token = answer["next_page_token"]
        } while token != nil
        #expect(seen == ["r3", "r2", "r1", "r0", "r4"])
        try await ask("POST", "runs/delete", ["run_id": .string(ids[0])])
        #expect(try await names(["run_view_type": "DELETED_ONLY"]) == ["r0"])
        #expect(try await names(["run_view_type": "ALL", "order_by": ["metrics.loss ASC"]]).count == 5)
        try await ask("POST", "runs/restore", ["run_id": .string(ids[0])])
        #expect(try await names([:]).count == 5)
        #expect(
            try await ask("POST", "runs/search", ["experiment_ids": [.string(MLflowWriter.experimentID("other"))]])
                == [:])
    }

    @Test func `histories are cut into pages and sampled with their ends`() async throws {
        let id = try await makeRun()
        let metrics = JSON.array(
            (0..<1000).map {
                ["key": "a", "value": .int(Int64($0)), "timestamp": .int(Int64($0)), "step": .int(Int64($0))]
            })
        #expect(try await ask("POST", "runs/log-batch", ["run_id": .string(id), "metrics": metrics]) == [:])
        let page = try await ask(
            "GET", "metrics/get-history", ["run_id": .string(id), "metric_key": "a", "max_results": 600])
        #expect(page["metrics"]?.array?.count == 600)
        let rest = try await ask(
            "GET", "metrics/get-history",
            [
                "run_id": .string(id), "metric_key": "a", "max_results": 600,
                "page_token": page["next_page_token"] ?? .null,
            ])
        #expect(rest["metrics"]?.array?.first?["value"] == 600.0 && rest["metrics"]?.array?.count == 400)
        let sampled = try await ask(
            "GET", "metrics/get-history-bulk-interval",
            ["run_ids": [.string(id)], "metric_key": "a", "max_results": 10])
        let steps = sampled["metrics"]?.array?.compactMap { $0["step"]?.int } ?? []
        #expect(steps.first == 0 && steps.last == 999 && steps.count <= 12)
        #expect(try await ask("GET", "metrics/get-history", ["run_id": .string(id), "metric_key": "none"]) == [:])
    }

    @Test func `what git-ml recorded itself is there too`() async throws {
        try sandbox.directory.write("work/metrics.json", #"{"auc": 0.9}"#)
        var record = RunRecord(code: try #require(try api.repository.head()), source: .cli)
        record.experiment = "churn"
        record.name = "by hand"
        record.series = ["auc": [MetricPoint(step: 0, time: .now(), value: 0.9)]]
        record.command = ["python", "train.py"]
        record.end = RunRecord.End(.finished, seconds: 2)
        let lines = try record.lines(store: LocalContent())
        try RunLog(api.repository).add([record.code: lines], message: "test")
        let experiment = try await ask("GET", "experiments/get-by-name", ["experiment_name": "churn"])["experiment"]
        let found = try await ask("POST", "runs/search", ["experiment_ids": [experiment?["experiment_id"] ?? .null]])
        let run = try #require(found["runs"]?.array?.first)
        #expect(run["info"]?["run_name"] == "by hand" && run["info"]?["status"] == "FINISHED")
        #expect(
            run["data"]?["tags"]?.array?.contains(["key": "mlflow.source.name", "value": "python train.py"]) == true)
    }
}

/// Content that nobody reads again.
private struct LocalContent: KeptContent {
    func keep(_ bytes: [UInt8]) throws -> Digest { .of(bytes) }
    func keep(file: FilePath) throws -> (digest: Digest, size: Int64) { try Digest.of(file: file) }
}
