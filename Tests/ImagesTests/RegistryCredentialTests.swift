import Base
import SystemPackage
import TestSupport
import Testing

@testable import Images

/// Logins as docker and podman keep them.
@Suite(.serialized)
struct RegistryCredentialTests {
    private let sandbox: Sandbox
    private var home: FilePath { sandbox.path.appending("home") }

    init() throws {
        sandbox = try Sandbox()
        try sandbox.directory.write(
            "bin/docker-credential-vault",
            """
            #!/bin/sh
            read server
            case "$server" in
              helped.example) printf '{"ServerURL":"x","Username":"h","Secret":"%s"}' "$server" ;;
              token.example) printf '{"Username":"<token>","Secret":"t"}' ;;
              broken.example) echo 'vault is sealed' >&2; exit 2 ;;
              odd.example) echo hello ;;
              *) echo 'credentials not found in native keychain'; exit 1 ;;
            esac
            """, mode: 0o755)
    }

    /// What is found, with an environment of only these variables and the files written before.
    private func find(_ host: String, _ repository: String = "acme/x", _ variables: [String: String] = [:]) async throws
        -> RegistryCredential?
    {
        let path = environmentValue("PATH") ?? ""
        let files = RegistryLogins(
            environment: ["HOME": home.string].merging(variables) { $1 },
            helperPath: "\(sandbox.path)/bin:\(path)")
        return try await files.find(host: host, repository: repository)
    }

    private func base64(_ text: String) -> String { Base64.encode(Array(text.utf8)) }

    private func write(_ file: String, _ json: String) throws { try sandbox.directory.write("home/\(file)", json) }

    @Test func `a password may hold colons, and keys stand in all their forms`() async throws {
        try write(
            ".docker/config.json",
            """
            {"auths":{"plain.example":{"auth":"\(base64("u:p:q"))"},"https://full.example/v1/":{"auth":"\(base64("f:1"))"},
            "https://index.docker.io/v1/":{"auth":"\(base64("hub:h"))"},"words.example":{"username":"w","password":"x"},
            "id.example":{"auth":"\(base64("00000000:"))","identitytoken":"secret"},"empty.example":{}}}
            """)
        for (host, found) in [
            ("plain.example", RegistryCredential.password(user: "u", password: "p:q")),
            ("full.example", .password(user: "f", password: "1")), ("docker.io", .password(user: "hub", password: "h")),
            ("words.example", .password(user: "w", password: "x")), ("id.example", .identityToken("secret")),
            ("empty.example", nil), ("other.example", nil),
        ] {
            let credential = try await find(host)
            #expect(credential == found, "\(host)")
        }
    }

    @Test func `podman's longest name wins`() async throws {
        try write(
            ".config/containers/auth.json",
            """
            {"auths":{"r.example":{"auth":"\(base64("all:1"))"},"r.example/acme":{"auth":"\(base64("acme:1"))"},
            "r.example/acme/x":{"auth":"\(base64("x:1"))"}}}
            """)
        for (repository, user) in [("acme/x", "x"), ("acme/xy", "acme"), ("acme", "acme"), ("other/x", "all")] {
            let credential = try await find("r.example", repository)
            #expect(credential == .password(user: user, password: "1"), "\(repository)")
        }
    }

    @Test func `the environment goes before files, and one file before the next`() async throws {
        func login(_ user: String) -> String { #"{"auths":{"r.example":{"auth":"\#(base64("\(user):1"))"}}}"# }
        var variables: [String: String] = [:]
        let places: [(file: String, variable: (String, String)?)] = [
            (".config/containers/auth.json", nil), ("run/containers/auth.json", ("XDG_RUNTIME_DIR", "\(home)/run")),
            (".docker/config.json", nil), ("dc/config.json", ("DOCKER_CONFIG", "\(home)/dc")),
            ("auth", ("REGISTRY_AUTH_FILE", "\(home)/auth")),
        ]
        for (file, variable) in places {
            try write(file, login(file))
            if let variable { variables[variable.0] = variable.1 }
            let found = try await find("r.example", "acme/x", variables)
            #expect(found == .password(user: file, password: "1"))
        }
        variables.merge(["GIT_ML_REGISTRY_USER": "e", "GIT_ML_REGISTRY_PASSWORD": "p"]) { $1 }
        for (host, user) in [("other.example", "auth"), ("r.example", "e")] {
            variables["GIT_ML_REGISTRY_HOST"] = host
            let found = try await find("r.example", "acme/x", variables)
            #expect(found == .password(user: user, password: user == "e" ? "p" : "1"))
        }
    }

    @Test func `helpers are asked, the host's own first, and one that has nothing is passed over`() async throws {
        try write(
            ".docker/config.json",
            """
            {"credHelpers":{"helped.example":"vault","token.example":"vault","broken.example":"vault","odd.example":"vault",
            "gone.example":"nobody","evil.example":"../../bin/sh"},"credsStore":"vault",
            "auths":{"file.example":{"auth":"\(base64("f:1"))"}}}
            """)
        for (host, found) in [
            ("helped.example", RegistryCredential.password(user: "h", password: "helped.example")),
            ("token.example", .identityToken("t")), ("file.example", .password(user: "f", password: "1")),
            ("none.example", nil),
        ] {
            let credential = try await find(host)
            #expect(credential == found, "\(host)")
        }
        for (host, words) in [
            ("broken.example", "vault is sealed"), ("odd.example", "not JSON"),
            ("gone.example", "docker-credential-nobody"),
            ("evil.example", "no name of a credential helper"),
        ] {
            let failure = await #expect(throws: (any Error).self) { _ = try await find(host) }
            #expect(failure.map { "\($0)" }?.contains(words) == true, "\(host): \(String(describing: failure))")
        }
    }

    @Test(arguments: ["{", #"{"auths":{"r.example":{"auth":"!!"}}}"#, #"{"auths":{"r.example":{"auth":"dXNlcg=="}}}"#])
    func `a broken file is an error that names it`(text: String) async throws {
        try write(".docker/config.json", text)
        let failure = await #expect(throws: (any Error).self) { _ = try await find("r.example") }
        #expect(failure.map { "\($0)" }?.contains("config.json") == true)
    }
}
