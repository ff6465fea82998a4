import Base
import SystemPackage
import TestSupport
import Testing

/// Provenance that is signed with the keys that git signs with, and held against the signers of the protected branch.
struct ImageSigningTests {
    private let project: Project

    init() throws { project = try Project() }

    /// A tagged model whose provenance is signed, and two SSH keys.
    private func makeModel(sign: String) async throws {
        try await project.sh(
            """
            ssh-keygen -q -t ed25519 -N '' -C '' -f key && ssh-keygen -q -t ed25519 -N '' -C '' -f other
            git init -q work && cd work && git ml init && git config gpg.format ssh
            git config user.signingKey ../key.pub && mkdir .ml && echo model > m.bin
            """, in: "")
        try project.write(
            "work/ml.yaml",
            """
            version: 1
            models:
              churn: {path: m.bin, package: {sign: \(sign)}}
            stages:
              prod: {signers: .ml/allowed_signers}
            """)
        try await trust("ann@example.com", "key")
        try await project.sh("git tag -a churn@v1.0.0 -m one")
    }

    /// Lets the protected branch trust a key and nothing else.
    private func trust(_ who: String, _ key: String) async throws {
        try await project.sh(
            "echo '\(who) '\"$(cut -d' ' -f1,2 ../\(key).pub)\" > .ml/allowed_signers && git add . && git commit -qm trust"
        )
    }

    private func package() async throws {
        let seen = try await project.ml("package", "churn", "--to", "oci:../images:v1")
        #expect(seen.status == 0, "\(seen)")
    }

    /// What is said of the signature, and the status.
    private func verify(_ place: String = "oci:../images:v1") async throws -> (Int32, String, String, String) {
        let seen = try await project.ml("image", "verify", place, "--json")
        let checks = try seen.output.split(separator: "\n").map { try JSON.parse(String($0)) }
        let check = try #require(checks.first { $0["check"]?.string == "signature" }, "\(seen)")
        return (
            seen.status, check["result"]?.string ?? "", check["code"]?.string ?? "", check["detail"]?.string ?? ""
        )
    }

    @Test func `an SSH signature counts only with a key that the protected branch trusts now`() async throws {
        try await makeModel(sign: "ssh")
        try await package()
        let good = try await verify()
        #expect(good.0 == 0 && good.1 == "ok" && good.3.hasPrefix("by ann@example.com (SHA256:"), "\(good)")

        try await trust("ann@example.com valid-before=\"20200101\"", "key")
        let expired = try await verify()
        #expect(expired.0 == 5 && expired.1 == "failed" && expired.2 == "expired-key", "\(expired)")

        try await trust("bob@example.com", "other")
        let unknown = try await verify()
        #expect(unknown.0 == 5 && unknown.2 == "unknown-key", "\(unknown)")

        try await trust("ann@example.com", "key")
        try await project.sh("cp ../key.pub .ml/allowed_signers.revoked && git add . && git commit -qm stolen")
        let revoked = try await verify()
        #expect(revoked.0 == 5 && revoked.2 == "revoked-key", "\(revoked)")
    }

    @Test func `a statement that was changed, or taken away, is told`() async throws {
        try await makeModel(sign: "{with: ssh, key: ../key}")
        try await package()
        try project.write(
            "change.py",
            """
            import base64, hashlib, json, sys
            def read(digest): return open("images/blobs/sha256/" + digest[7:], "rb").read()
            def write(value):
                data = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
                digest = hashlib.sha256(data).hexdigest()
                open("images/blobs/sha256/" + digest, "wb").write(data)
                return {"digest": "sha256:" + digest, "size": len(data)}
            index = json.load(open("images/index.json"))
            kind = "application/vnd.dsse.envelope.v1+json"
            for entry in [e for e in index["manifests"] if e.get("artifactType") == kind]:
                if sys.argv[1] == "remove":
                    index["manifests"].remove(entry)
                    continue
                manifest = json.loads(read(entry["digest"]))
                envelope = json.loads(read(manifest["layers"][0]["digest"]))
                statement = json.loads(base64.b64decode(envelope["payload"]))
                statement["predicate"]["runDetails"]["builder"]["id"] = "git-ml://elsewhere"
                envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
                manifest["layers"][0].update(write(envelope))
                entry.update(write(manifest))
            json.dump(index, open("images/index.json", "w"))
            """)
        try await project.sh("python3 change.py change", in: "")
        let changed = try await verify()
        #expect(changed.0 == 5 && changed.2 == "tampered" && changed.3.hasPrefix("tampered: "), "\(changed)")
        try await project.sh("python3 change.py remove", in: "")
        let unsigned = try await verify()
        #expect(unsigned.0 == 5 && unsigned.1 == "failed" && unsigned.2 == "unsigned", "\(unsigned)")
        // What is lacking is put there by the next push, though all blobs are there.
        try await package()
        let again = try await verify()
        #expect(again.0 == 0 && again.1 == "ok", "\(again)")
        // Where nobody asks for a signature, none is no failure.
        try await project.sh("sed -i 's/, package: .*/}/' ml.yaml && git commit -qam unsigned")
        try await project.sh("python3 change.py remove", in: "")
        let unasked = try await verify()
        #expect(unasked.0 == 0 && unasked.1 == "absent" && unasked.2 == "unsigned", "\(unasked)")
    }

    @Test func `ssh-keygen itself finds the signature in the envelope good, and gpg one by an OpenPGP key`()
        async throws
    {
        try await makeModel(sign: "ssh")
        let registry = try await DockerRegistry(project.path)
        try project.write(
            "envelope.py",
            """
            import base64, json, oras.client, sys
            host, digest, keep = sys.argv[1:]
            client = oras.client.OrasClient(insecure=True)
            index = client.get_manifest(f"{host}/acme/churn:sha256-{digest}",
                allowed_media_type=["application/vnd.oci.image.index.v1+json"])
            kind = "application/vnd.dsse.envelope.v1+json"
            entry = [e for e in index["manifests"] if e["artifactType"] == kind][0]
            manifest = client.get_manifest(f"{host}/acme/churn@" + entry["digest"])
            assert manifest["subject"]["digest"] == "sha256:" + digest
            container = client.get_container(f"{host}/acme/churn")
            envelope = json.loads(client.get_blob(container, manifest["layers"][0]["digest"]).content)
            payload = base64.b64decode(envelope["payload"])
            kind = envelope["payloadType"].encode()
            open(keep, "wb").write(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
            open(keep + ".sig", "wb").write(base64.b64decode(envelope["signatures"][0]["sig"]))
            """)
        let place = "\(registry.host)/acme/churn:v1"
        func envelope(_ keep: String) async throws {
            let seen = try await project.ml("package", "churn", "--to", place, "--json")
            let digest = try #require(try JSON.parse(seen.output)["digest"]?.string).dropFirst(7)
            try await project.sh("python3 envelope.py \(registry.host) \(digest) \(keep)", in: "")
        }
        try await envelope("ssh")
        try await project.sh(
            "ssh-keygen -Y verify -f work/.ml/allowed_signers -I ann@example.com -n git -s ssh.sig < ssh", in: "")

        try await project.sh(
            """
            export GNUPGHOME="$PWD/../gnupg" && mkdir -m 700 "$GNUPGHOME"
            gpg -q --batch --passphrase '' --quick-generate-key 'ann <ann@example.com>' ed25519 sign never
            gpg -q --armor --export > .ml/allowed_signers
            printf '#!/bin/sh\\nGNUPGHOME=%s exec gpg --batch "$@"\\n' "$GNUPGHOME" > ../gpg && chmod 755 ../gpg
            git config gpg.program "$PWD/../gpg" && sed -i 's/sign: ssh/sign: gpg/' ml.yaml
            echo two > m.bin && git add . && git commit -qm two && git tag -a churn@v2.0.0 -m two
            """)
        try await envelope("gpg")
        try await project.sh("GNUPGHOME=$PWD/gnupg gpg --batch --verify gpg.sig gpg 2>&1", in: "")
        let good = try await verify(place)
        #expect(good.0 == 0 && good.1 == "ok" && good.3.hasPrefix("by ann@example.com ("), "\(good)")
        try await project.sh("GNUPGHOME=$PWD/gnupg gpgconf --kill gpg-agent", in: "")
    }

    // cosign itself cannot be had here: this shows what it is asked, and that its absence is an error.
    @Test func `cosign is asked to sign the digest that the registry holds`() async throws {
        try await makeModel(sign: "{with: cosign, key: cosign.key}")
        let registry = try await DockerRegistry(project.path)
        let place = "\(registry.host)/acme/churn"
        let none = try await project.ml("package", "churn", "--to", "\(place):v1")
        #expect(none.status != 0 && none.errors.contains("cosign"), "\(none)")
        try project.write("bin/cosign", "#!/bin/sh\necho \"$@\" > '\(project.path)/asked'\n", mode: 0o755)
        let seen = try await project.sandbox.run(
            "/bin/sh", ["-ec", "PATH=\(project.path)/bin:$PATH git ml package churn --to \(place):v1 --json"],
            in: "work")
        #expect(seen.status == 0, "\(seen.errors)")
        let digest = try JSON.parse(seen.text)["digest"]?.string ?? ""
        #expect(try project.text("asked") == "sign --yes --key cosign.key \(place)@\(digest)\n")
    }
}
