import Base
import SystemPackage
import TestSupport
import Testing

/// `--sign` of the commands that make tags, with real keys, as far as the runner's word on them.
struct SigningTests {
    @Test(arguments: ["ssh", "openpgp"])
    func `every command that makes a tag signs it so that git verifies it and a strict stage takes it`(
        format: String
    ) async throws {
        let project = try await Project.withModel()
        // gpg's agent wants a short path for its socket.
        let keyring = FilePath("/tmp/git-ml-\(UUIDv7().description.suffix(10))")
        try Files.makeDirectory(keyring)
        defer { try? Files.removeTree(keyring) }
        let home = ["GNUPGHOME": keyring.string as String?]
        func sh(_ line: String) async throws -> String {
            let result = try await project.sandbox.run("/bin/sh", ["-ec", line], in: "work", environment: home)
            guard result.status == 0 else {
                throw ProcessFailure.failed(command: line, status: result.status, errors: result.errors + result.text)
            }
            return result.text
        }
        let signers = ".ml/signers"
        if format == "ssh" {
            _ = try await sh(
                """
                ssh-keygen -q -t ed25519 -N '' -f ../key; mkdir .ml
                printf 'ann@example.com %s\\n' "$(cut -d' ' -f1,2 ../key.pub)" > \(signers); cp ../key.pub ../allowed
                printf 'ann@example.com %s\\n' "$(cat ../key.pub)" > ../allowed
                git config gpg.format ssh; git config user.signingKey "$PWD/../key"
                git config gpg.ssh.allowedSignersFile "$PWD/../allowed"
                """)
        } else {
            _ = try await sh(
                """
                chmod 700 "$GNUPGHOME"; mkdir .ml
                gpg --batch --quiet --passphrase '' --quick-generate-key 'Ann <ann@example.com>' ed25519 sign never
                gpg --armor --export ann@example.com > \(signers)
                git config user.signingKey ann@example.com
                """)
        }
        try project.writeSettings(
            """
            stages:
              prod: {signers: \(signers), strict: true, deploy: {to: command, run: [/bin/sh, -c, "echo $GIT_ML_VERSION >> deployed"]}}

            """)
        _ = try await sh(
            "sed -i 's/^version: 1/version: 1\\nrepo: here/' ml.yaml; git add -A; git commit -qm policy; git push -q")
        for words in [
            "register m", "stage m prod", "unstage m prod", "stage m prod v1.0.0", "register m HEAD~1 --version 0.9.0",
            "deregister m v0.9.0", "deprecate m",
        ] {
            let made = try await sh("git ml \(words) --sign --json")
            let tag = try #require(try JSON.parse(made.trimmingTrailingSpace)["tag"]?.string, "\(made)")
            _ = try await sh("git verify-tag '\(tag)'")
            // git has put the signature behind the statement, which is inside it.
            let text = try await sh("git cat-file tag '\(tag)'")
            let armour = format == "ssh" ? "-----BEGIN SSH SIGNATURE-----" : "-----BEGIN PGP SIGNATURE-----"
            #expect(text.contains(armour), "\(text)")
            if words.hasPrefix("stage") {
                let statement = try #require(text.firstRange(of: "git-ml-stage: 1"))
                #expect(statement.lowerBound < (text.firstRange(of: armour)?.lowerBound ?? text.startIndex))
            }
        }
        _ = try await sh("git push -q origin --tags")
        let pass = try await project.ml("runner", "--once", "--wait", "--repo", "../remote.git", environment: home)
        #expect(try project.text("remote.git/ml/runner/deployed") == "v1.0.0\n", "\(pass)")
        // The same words unsigned: the server says no.
        _ = try await sh("git ml stage m prod v1.0.0")
        let push = try await project.sandbox.run(
            "git", ["push", "--no-verify", "origin", "--tags"], in: "work", environment: home)
        #expect(push.status != 0 && push.errors.contains("it is not signed"), "\(push.errors)")
        _ = try? await sh("gpgconf --kill all")
    }

    @Test func `a key that cannot sign makes no tag, and the error is git's own`() async throws {
        let project = try await Project.withModel()
        try await project.sh("git config gpg.format ssh; git config user.signingKey /nowhere/key")
        let seen = try await project.ml("register", "m", "--sign")
        #expect(seen.status == 1 && seen.errors.contains("/nowhere/key"), "\(seen)")
        #expect(try await project.sh("git tag") == "")
    }
}
