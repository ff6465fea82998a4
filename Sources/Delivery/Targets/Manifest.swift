public import Base

/// The objects that make one version of a model served, as templates made them.
public struct Manifest: Sendable, Equatable {
    /// One object, in the words it was written in.
    public struct Object: Sendable, Equatable {
        /// The template's name: `deployment.yaml`.
        public let file: String
        public let kind: String
        public let name: String
        public let text: String
        let json: JSON

        /// The object as one line of JSON.
        public var line: String { json.description }

        /// How kubectl names it: `deployment.apps/churn-prod`.
        var resource: String {
            let group = (json["apiVersion"]?.string ?? "").split(separator: "/").dropLast().first
            return kind.lowercased() + (group.map { ".\($0)" } ?? "") + "/" + name
        }

        /// The port of its first container; nil where it has none.
        var port: Int? {
            let container = json["spec"]?["template"]?["spec"]?["containers"]?.array?.first
            return (container?["ports"]?.array?.first?["containerPort"]?.int).map { Int($0) }
        }
    }

    /// The label by which our objects are known; its value is the deployment's name.
    public static let label = "git-ml.dev/deployment"

    public let name: String
    public let objects: [Object]

    /// All of it, as one file for `kubectl apply -f`.
    public var text: String { objects.map(\.text).joined(separator: "---\n") }

    init(name: String, objects: [Object]) {
        self.name = name
        self.objects = objects
    }

    /// Reads a manifest that was kept.
    ///
    /// - Throws: ``YAMLFailure`` or a ``ManifestFailure`` where it is none of ours.
    public init(_ text: String, name: String, file: String = "manifest.yaml") throws {
        self.name = name
        objects = try Self.documents(text).compactMap { try Self.object($0, file: file, name: name) }
    }

    func only(_ kinds: String...) -> Manifest {
        Manifest(name: name, objects: objects.filter { kinds.contains($0.kind) })
    }

    func without(_ kinds: String...) -> Manifest {
        Manifest(name: name, objects: objects.filter { !kinds.contains($0.kind) })
    }

    // MARK: - Reading

    static func documents(_ text: String) -> [String] {
        var documents: [[Substring]] = [[]]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "---" || line.hasPrefix("--- ") {
                documents.append([])
            } else {
                documents[documents.count - 1].append(line)
            }
        }
        return documents.map { $0.joined(separator: "\n").trimmingTrailingSpace + "\n" }
    }

    /// One document as an object; nil where nothing but comments is left of it.
    ///
    /// An object without our label is refused: nobody could tell later that it may be touched.
    static func object(_ text: String, file: String, name: String) throws -> Object? {
        let isEmpty = text.split(separator: "\n").allSatisfy { line in
            line.allSatisfy(\.isWhitespace) || line.drop(while: \.isWhitespace).hasPrefix("#")
        }
        if isEmpty { return nil }
        let json = try YAMLNode.parse(text, file: file).json
        guard let kind = json["kind"]?.string, let own = json["metadata"]?["name"]?.string, json["apiVersion"] != nil
        else {
            throw ManifestFailure(file: file, reason: "it is no object: apiVersion, kind and metadata.name are needed")
        }
        guard json["metadata"]?["labels"]?[label]?.string == name else {
            throw ManifestFailure(file: file, reason: "\(kind) \(own) lacks the label \(label): \(name)")
        }
        return Object(file: file, kind: kind, name: own, text: text, json: json)
    }
}

/// A template whose objects cannot be used.
public struct ManifestFailure: Failure, Equatable {
    public let file: String
    public let reason: String
    public var kind: FailureKind { .user }
    public var description: String { "\(file): \(reason)" }
    public var hints: [String] {
        ["compare it with git-ml's own template: `git ml render --help` says where templates are looked for"]
    }
}
