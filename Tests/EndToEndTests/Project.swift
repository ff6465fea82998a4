import Base
import SystemPackage
import TestSupport

/// A sandbox in which `git ml` is the program that was just built, and `python3` one with scikit-learn.
struct Project {
    let sandbox: Sandbox
    var path: FilePath { sandbox.path }

    init() throws { sandbox = try Sandbox(programs: [Places.programs, Places.python]) }

    /// A bare remote with a runner, and a clone `work` of it that is set up.
    static func withRemote(format: String = "sha1") async throws -> Project {
        let project = try Project()
        try await project.sandbox.sh(
            """
            git init -q --bare --object-format=\(format) remote.git
            (cd remote.git && git ml init --bare --runner)
            git init -q --object-format=\(format) work
            cd work
            git remote add origin ../remote.git
            git ml init
            """)
        return project
    }

    /// Runs `git ml …` in a folder and returns all that a person sees.
    func ml(_ words: String..., in folder: String = "work", environment: [String: String?] = [:]) async throws -> Seen {
        let result = try await sandbox.run("git", ["ml"] + words, in: folder, environment: environment)
        return Seen(status: result.status, output: result.text, errors: result.errors)
    }

    /// Runs a shell line in a folder.
    @discardableResult
    func sh(_ line: String, in folder: String = "work") async throws -> String {
        try await sandbox.sh(line, in: folder)
    }

    func text(_ path: String) throws -> String? { try Files.readText(self.path.appending(FilePath(path).components)) }

    func write(_ path: String, _ text: String, mode: UInt32? = nil) throws {
        try sandbox.directory.write(path, text, mode: mode)
    }

    /// A fresh `ml.yaml` in `work` with a model `m`.
    func writeSettings(_ more: String = "") throws {
        try write("work/ml.yaml", "version: 1\nmodels:\n  m: {path: models/m.bin}\n" + more)
    }

    /// A model `m` with a metric, and a stage `prod` that asks for nothing.
    func writeModel(stage: String = "{}") throws {
        try writeSettings("stages:\n  prod: \(stage)\n")
        try write("work/models/m.bin", "a model")
        try write("work/metrics.json", #"{"auc":0.9}"#)
    }

    /// A serving template that starts at once: a server that is well until its revision stands in the file `ill`.
    func writeTinyServer() throws {
        try write(
            "work/templates/serving/python/server.py",
            """
            import argparse, http.server, json, os, pathlib
            options = argparse.ArgumentParser()
            for name in ("--host", "--port", "--port-file"): options.add_argument(name)
            options = options.parse_args()
            revision = json.loads((pathlib.Path(__file__).parents[1] / "model.json").read_text())["revision"]
            ill = pathlib.Path("\(path)/ill")
            class Answer(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    is_ill = ill.exists() and ill.read_text().strip() == revision
                    self.send_response(503 if is_ill else 200)
                    self.send_header("X-Model-Revision", revision)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
            server = http.server.ThreadingHTTPServer((options.host, int(options.port)), Answer)
            incoming = options.port_file + ".new"
            pathlib.Path(incoming).write_text(str(server.server_address[1]))
            os.rename(incoming, options.port_file)
            server.serve_forever()

            """)
    }

    /// Ends what the runner of the remote serves.
    func stopServers() async {
        _ = try? await ml("local", "--stop", "--repo", "remote.git", in: "")
    }
}

/// Exit status, standard output and standard error of a command.
struct Seen: Equatable, CustomStringConvertible {
    let status: Int32
    let output: String
    let errors: String
    var description: String { "status \(status)\n\(output)\n--- errors\n\(errors)" }
}
