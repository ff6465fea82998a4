internal import Base
internal import GitKit
internal import SystemPackage

extension LocalTarget {
    /// A server of this machine, as a file of the stage's folder tells of it.
    struct Server {
        let process: ProcessIdentity
        let port: Int
        let digest: Digest
        let model: String
        let stage: String
        let version: String
        let revision: String
        /// The file that it prints to.
        let log: String

        /// One that does not run yet.
        init(_ deployment: Deployment) {
            process = ProcessIdentity(id: 0, began: "")
            port = 0
            digest = deployment.digest
            (model, stage) = ("\(deployment.model)", deployment.stage)
            (version, revision) = (deployment.version, deployment.commit.hex)
            log = ""
        }

        private init(_ like: Server, _ process: ProcessIdentity, _ port: Int, _ log: String) {
            (self.process, self.port, self.log) = (process, port, log)
            (digest, model, stage) = (like.digest, like.model, like.stage)
            (version, revision) = (like.version, like.revision)
        }

        /// The same as a process that has been started.
        func running(_ process: ProcessIdentity, port: Int, log: String) -> Server { Server(self, process, port, log) }

        /// Reads a file; nil when it is not there or tells of nothing.
        init?(_ file: FilePath) throws {
            guard let text = try Files.readText(file), let json = try? JSON.parse(text),
                let digest = json["digest"]?.string.flatMap({ Digest($0) }), let id = json["pid"]?.int
            else { return nil }
            func word(_ key: String) -> String { json[key]?.string ?? "" }
            process = ProcessIdentity(id: Int32(truncatingIfNeeded: id), began: word("began"))
            port = json["port"]?.int.map { Int($0) } ?? 0
            self.digest = digest
            (model, stage) = (word("model"), word("stage"))
            (version, revision, log) = (word("version"), word("revision"), word("log"))
        }

        var text: String {
            let json: JSON = [
                "port": .int(Int64(port)), "pid": .int(Int64(process.id)), "began": .string(process.began),
                "digest": .string("\(digest)"), "model": .string(model), "stage": .string(stage),
                "version": .string(version), "revision": .string(revision), "log": .string(log),
            ]
            return "\(json)\n"
        }
    }
}
