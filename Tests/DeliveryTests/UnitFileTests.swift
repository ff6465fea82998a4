import Base
import SystemPackage
import TestSupport
import Testing

@testable import Delivery

struct UnitFileTests {
    private func unit(_ form: UnitFile.Form, _ deploy: String) throws -> UnitFile {
        let folder = Places.package.appending("templates").appending("deploy").appending("systemd")
        let template = try #require(try Files.readText(folder.appending("model.\(form.rawValue)")))
        return try UnitFile(form, workloadValues(deploy), template: template)
    }

    @Test func `a quadlet names the image by its digest, and values stay in their lines`() throws {
        let quadlet = try unit(.quadlet, #"to: podman, port: 8123, memory: 1Gi, env: {A: "x\nUser=root 50% \"q\""}"#)
        #expect(quadlet.name == "churn-prod.container")
        #expect(quadlet.text.contains("Image=ghcr.io/acme/churn@sha256:aaaa"))
        #expect(quadlet.text.contains("PublishPort=127.0.0.1:8123:8080\n"))
        #expect(quadlet.text.contains("PodmanArgs=--memory 2147483648\n"))
        #expect(quadlet.text.contains(#"Environment="A=x User=root 50%% \"q\"""#))
        let sections = quadlet.text.split(separator: "\n").filter { $0.hasPrefix("[") }
        #expect(sections == ["[Unit]", "[Container]", "[Service]", "[Install]"])
        for line in quadlet.text.split(separator: "\n") {
            #expect(
                line.hasPrefix("#") || line.hasPrefix("[") || line.wholeMatch(of: /[A-Z][A-Za-z]+=.+/) != nil, "\(line)"
            )
        }
    }

    @Test(.enabled(if: ChildProcess.find("systemd-analyze") != nil, "systemd-analyze is not here"))
    func `the unit is verified by systemd itself`() async throws {
        let sandbox = try Sandbox()
        let unit = try unit(.service, #"to: podman, env: {A: "50% $HOME \"q\""}"#)
        #expect(unit.text.contains(#"--env "A=50%% $$HOME \"q\"" ghcr.io"#))
        // podman itself need not be here to look at the form.
        try Files.replace(
            sandbox.path.appending(unit.name), with: unit.text.replacing("/usr/bin/podman", with: "/bin/true").utf8)
        let result = try await sandbox.run("systemd-analyze", ["verify", "--man=no", unit.name])
        let ours = (result.errors + result.text).split(separator: "\n").filter { $0.contains(unit.name) }
        #expect(ours.isEmpty, "\(ours)")
    }
}
