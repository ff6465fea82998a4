internal import Base
internal import Mustache

/// The templates of a deployment: a folder of Mustache files that give one object, or some, each.
///
/// Values are escaped for double quotes, so every place of a text stands in them: `name: "{{name}}"`. Files whose name begins
/// with `_` are parts of others: `{{> _metadata}}`. Sections without anything leave nothing behind.
public struct DeployTemplate: Sendable {
    private let library: MustacheLibrary
    private let files: [String]

    /// Compiles the files; keys are their names.
    ///
    /// - Throws: ``ManifestFailure`` where one is no Mustache.
    public init(_ texts: [String: String]) throws {
        Self.register
        var library = MustacheLibrary()
        for (file, text) in texts {
            do {
                try library.register("{{% CONTENT_TYPE:YAML}}" + text, named: Self.stem(file))
            } catch {
                throw ManifestFailure(file: file, reason: "not a Mustache template: \(error)")
            }
        }
        self.library = library
        files = texts.keys.filter { !$0.hasPrefix("_") }.sorted(by: Self.precedes)
    }

    /// Fills the templates in.
    ///
    /// - Throws: ``YAMLFailure`` with the line, or ``ManifestFailure``, where what comes out is no object of ours.
    func render(_ values: [String: Any], name: String) throws -> Manifest {
        var objects: [Manifest.Object] = []
        for file in files {
            guard let text = library.render(values, withTemplate: Self.stem(file)) else { continue }
            for document in Manifest.documents(text) {
                if let object = try Manifest.object(document, file: file, name: name) { objects.append(object) }
            }
        }
        guard !objects.isEmpty else {
            throw ManifestFailure(file: files.first ?? "templates", reason: "no object came out")
        }
        return Manifest(name: name, objects: objects)
    }

    /// Fills in one text whose values stand in double quotes, as those of YAML and JSON do.
    static func fill(_ text: String, _ values: [String: Any]) throws -> String {
        register
        return try MustacheTemplate(string: "{{% CONTENT_TYPE:YAML}}" + text).render(values)
    }

    private static func stem(_ file: String) -> String { String(file.prefix { $0 != "." }) }

    /// Deployments first: a Service that turns to new pods should find them.
    private static func precedes(_ a: String, _ b: String) -> Bool {
        (a.hasPrefix("deployment") ? 0 : 1, a) < (b.hasPrefix("deployment") ? 0 : 1, b)
    }

    private static let register: Void = MustacheContentTypes.register(QuotedYAML(), named: "YAML")
}

/// Text between the double quotes of YAML: as in JSON, which YAML takes in.
private struct QuotedYAML: MustacheContentType {
    func escapeText(_ text: String) -> String { String(JSON.string(text).description.dropFirst().dropLast()) }
}
