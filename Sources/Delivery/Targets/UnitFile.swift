public import GitKit
internal import Models
internal import Mustache
public import SystemPackage

/// A unit file that serves a version on one host: for systemd with `podman run`, or a quadlet, which podman 4.4 and newer read.
public struct UnitFile: Sendable {
    public enum Form: String, Sendable {
        case service
        case quadlet = "container"
    }

    /// The file's name: `churn-prod.service`.
    public let name: String
    public let text: String

    /// Fills `templates/deploy/systemd` in, the protected branch's own if it has one.
    public init(
        _ form: Form, _ values: WorkloadValues, in repository: Repository, at commit: ObjectID?,
        templates folder: FilePath
    ) throws {
        let file = "model.\(form.rawValue)"
        let texts = try DeployTemplate.texts(
            named: "systemd", in: repository, at: commit, templates: folder, suffixes: [".\(form.rawValue)"])
        guard let template = texts[file] else {
            throw ManifestFailure(file: "templates/deploy/systemd/\(file)", reason: "it is not there")
        }
        try self.init(form, values, template: template)
    }

    init(_ form: Form, _ values: WorkloadValues, template: String) throws {
        _ = Self.register
        var all = values.values(.stable)
        all["host"] = values.settings.deploy?.host ?? "127.0.0.1"
        all["port"] = values.settings.deploy.map { $0.port > 0 ? $0.port : 8080 } ?? 8080
        all["memory_bytes"] = values.memoryInBytes
        name = "\(values.name).\(form.rawValue)"
        do {
            let kind = form == .service ? "SERVICE" : "QUADLET"
            text = try MustacheTemplate(string: "{{% CONTENT_TYPE:\(kind)}}" + template).render(all)
        } catch {
            throw ManifestFailure(file: "model.\(form.rawValue)", reason: "not a Mustache template: \(error)")
        }
    }

    private static let register: Void = {
        MustacheContentTypes.register(UnitValue(doubled: "%$"), named: "SERVICE")
        MustacheContentTypes.register(UnitValue(doubled: "%"), named: "QUADLET")
    }()
}

/// Text of a unit's setting, alone or between double quotes: systemd expands nothing in it, and it stays in its line.
private struct UnitValue: MustacheContentType {
    let doubled: String

    func escapeText(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case _ where scalar.value < 32 || scalar.value == 127: out += " "
            case _ where doubled.unicodeScalars.contains(scalar): out += "\(scalar)\(scalar)"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
