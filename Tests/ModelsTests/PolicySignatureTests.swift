import Base
import GitKit
import Runs
import SystemPackage
import TestSupport
import Testing

@testable import Models

/// Signatures of stage tags, with the real `ssh-keygen`, `gpg` and `git`.
struct PolicySignatureTests {
    // Case D-01.
    @Test func `a tag that is not signed, and a light one, are refused where policy asks for a signature`() async throws
    {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1", "-a")
        try await it.sh("git tag 'm#prod#2'")
        #expect(try await it.codes() == ["unsigned"])
        #expect(try await it.codes("m#prod#2") == ["light-tag"])
        // A light tag has no signature even where light tags count.
        try await it.sh("printf 'tags: {light: true}\\n' >> ml.yaml; git commit -qam light")
        #expect(try await it.codes("m#prod#2") == ["unsigned"])
        // An unsigned tag must not take a model out of the stage either.
        try await it.tag("m#prod!#3", "-a")
        #expect(try await it.codes("m#prod!#3") == ["unsigned"])
    }

    @Test func `a tag signed by a key that policy names is good, and says whose it is`() async throws {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1")
        let verdict = try await it.verdict()
        #expect(verdict.refusals == [])
        #expect(verdict.signer?.names == ["lead@example.com"])
        let printed = try await it.sh("ssh-keygen -l -f ../lead.pub | cut -d' ' -f2")
        #expect(verdict.signer?.key == printed)
    }

    // Case D-02: git says “Good signature” and “No principal matched” of such a tag.
    @Test func `a good signature by a key that policy does not name is refused`() async throws {
        let it = try await PolicyRepository()
        try await it.sh("git config user.signingKey \"$PWD/../stranger\"")
        try await it.tag("m#prod#1")
        let refusal = try #require(try await it.verdict().refusals.first)
        #expect(refusal.code == "unknown-key")
        let key = try await it.sh("ssh-keygen -l -f ../stranger.pub | cut -d' ' -f2")
        #expect("\(refusal)".contains(key))
    }

    // Case D-04: `git verify-tag` calls it good.
    @Test func `a signed tag object that lies at another name is refused`() async throws {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1")
        try await it.sh("git update-ref 'refs/tags/m#prod#9' 'refs/tags/m#prod#1'; git tag -d 'm#prod#1'")
        #expect(try await it.codes("m#prod#9") == ["tag-name-mismatch"])
    }

    // Case D-05.
    @Test func `a signed tag of another repository with the same commit is refused, strict or not`() async throws {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1", message: it.statement(["repo": "elsewhere"]))
        #expect(try await it.codes() == ["statement-repo"])
    }

    // Case D-07. The tags are dated November 2023: a thief can write any date.
    @Test(arguments: [
        (#"lead@example.com valid-before="20200101" $lead"#, "expired-key"),
        (#"lead@example.com valid-before="20240101" $lead"#, "expired-key"),
        (#"lead@example.com valid-after="20990101" $lead"#, "key-not-yet-valid"),
        (#"lead@example.com namespaces="file" $lead"#, "other-namespace"),
        ("lead@example.com $stranger", "removed-key"),
        (#"lead@example.com valid-after="20240101" $lead"#, "bad-signature"),
    ])
    func `a key that is no longer, not yet or not for this allowed is refused`(line: String, code: String) async throws
    {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1")
        #expect(try await it.codes() == [])
        try await it.signers(line)
        #expect(try await it.codes() == [code])
    }

    // Case D-07.
    @Test func `a revoked key is refused, by a list of keys and by a list of OpenSSH's`() async throws {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1")
        try await it.signers("lead@example.com $lead", revoked: "$lead")
        #expect(try await it.codes() == ["revoked-key"])
        try await it.sh("ssh-keygen -q -k -f .ml/allowed_signers.revoked ../lead.pub; git commit -qam krl")
        #expect(try await it.codes() == ["revoked-key"])
        try await it.signers("lead@example.com $lead", revoked: "$stranger")
        #expect(try await it.codes() == [])
    }

    // Case D-07: made with `ssh-keygen -Y sign -n file`, say of a document that the lead was asked to sign.
    @Test func `a signature that was made for something else is refused`() async throws {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1", "-a")
        try await it.sh(
            """
            git cat-file tag 'm#prod#1' > ../payload
            ssh-keygen -q -Y sign -n file -f ../lead ../payload
            git update-ref 'refs/tags/m#prod#1' "$(cat ../payload ../payload.sig | git hash-object -t tag -w --stdin)"
            """)
        #expect(try await it.codes() == ["other-namespace"])
        // The signature of one tag under another.
        try await it.tag("m#prod#2", message: "good")
        try await it.sh(
            """
            git cat-file tag 'm#prod#2' | sed -n '/BEGIN SSH/,$p' > ../other.sig
            git update-ref 'refs/tags/m#prod#1' "$(cat ../payload ../other.sig | git hash-object -t tag -w --stdin)"
            """)
        #expect(try await it.codes() == ["bad-signature"])
        try await it.sh(
            """
            printf -- '-----BEGIN SSH SIGNATURE-----\\nnonsense\\n-----END SSH SIGNATURE-----\\n' > ../no.sig
            git update-ref 'refs/tags/m#prod#1' "$(cat ../payload ../no.sig | git hash-object -t tag -w --stdin)"
            """)
        #expect(try await it.codes() == ["unreadable-signature"])
    }

    @Test func `what stands behind the signature is not signed, and states nothing`() async throws {
        let it = try await PolicyRepository(stage: "{signers: .ml/allowed_signers, strict: true}")
        try await it.tag("m#prod#1", message: "no statement")
        try await it.sh(
            """
            git cat-file tag 'm#prod#1' > ../object
            printf '\\n%s\\n' '\(it.statement())' >> ../object
            git update-ref 'refs/tags/m#prod#1' "$(git hash-object -t tag -w --stdin < ../object)"
            """)
        #expect(try await it.codes().contains("no-statement"))
    }

    @Test func `a good signature by a name that policy does not allow for that stage is refused`() async throws {
        let it = try await PolicyRepository(
            stage: "{signers: {file: .ml/allowed_signers, names: [\"*@leads.example.com\"]}}")
        try await it.tag("m#prod#1")
        let refusal = try await it.verdict().refusals.first.map { "\($0)" }
        #expect(
            refusal == "it is signed by lead@example.com, and only *@leads.example.com may stage in “prod”")
        try await it.signers("ann@leads.example.com $lead")
        #expect(try await it.codes() == [])
        // Somebody for whom any name was allowed is not therefore one of these.
        try await it.signers("*@example.com,* $lead")
        #expect(try await it.codes() == ["not-allowed"])
    }

    @Test func `settings of git in the repository, the user's and the machine's, do not decide`() async throws {
        let it = try await PolicyRepository()
        try await it.sh("git config user.signingKey \"$PWD/../stranger\"")
        try await it.tag("m#prod#1")
        try await it.sh(
            """
            printf '#!/bin/sh\\ntouch "%s/ran"\\nexit 0\\n' "$PWD/.." > ../yes; chmod +x ../yes
            printf 'stranger@example.com %s\\n' "$(cut -d' ' -f1,2 ../stranger.pub)" > ../own
            git config gpg.ssh.allowedSignersFile "$PWD/../own"
            git verify-tag 'm#prod#1'
            git config gpg.ssh.program "$PWD/../yes"; git config gpg.program "$PWD/../yes"
            """)
        #expect(try await it.codes() == ["unknown-key"])
        #expect(!Files.exists(it.sandbox.path.appending("ran")))
    }

    @Test func `policy that names a file which is not there, or nobody in it, refuses everything`() async throws {
        let it = try await PolicyRepository()
        try await it.tag("m#prod#1")
        try await it.signers("# nobody")
        #expect(try await it.codes() == ["removed-key"])
        try await it.sh("git rm -q .ml/allowed_signers; git commit -qm gone")
        #expect(try await it.codes() == ["no-signers-file"])
    }
}

/// The same with OpenPGP keys.
struct PolicyKeyringTests {
    private func repository() async throws -> PolicyRepository {
        let it = try await PolicyRepository(stage: "{signers: .ml/keys.asc}")
        try await gpg(
            it,
            """
            gpg --faked-system-time 20200101T000000! --quick-gen-key 'Lead <lead@example.com>' ed25519 sign never
            gpg --quick-gen-key 'Stranger <stranger@example.com>' ed25519 sign never
            gpg --armor --export lead@example.com > .ml/keys.asc
            git config gpg.format openpgp
            git config user.signingKey lead@example.com
            git add -A; git commit -qm keys
            """)
        return it
    }

    private func gpg(_ it: PolicyRepository, _ line: String) async throws {
        try await it.sh(
            """
            export GNUPGHOME="$(cd .. && pwd)/g"; mkdir -p -m 700 "$GNUPGHOME"
            trap 'gpgconf --kill all' EXIT
            gpg() { command gpg --batch --quiet --no-tty --passphrase '' --pinentry-mode loopback "$@"; }
            \(line)
            """)
    }

    private func tag(_ it: PolicyRepository, _ name: String) async throws {
        try await gpg(it, "git tag -s -m 'stage it' '\(name)'")
    }

    @Test func `an armoured keyring names OpenPGP keys: good, unknown, and an SSH key that is no member`() async throws
    {
        let it = try await repository()
        try await tag(it, "m#prod#1")
        let verdict = try await it.verdict()
        #expect(verdict.refusals == [])
        #expect(verdict.signer?.names == ["lead@example.com"])
        #expect(verdict.signer?.key.count == 40)
        try await it.sh("git config user.signingKey stranger@example.com")
        try await tag(it, "m#prod#2")
        #expect(try await it.codes("m#prod#2") == ["unknown-key"])
        try await it.sh("git config gpg.format ssh; git config user.signingKey \"$PWD/../lead\"")
        try await it.tag("m#prod#3")
        #expect(try await it.codes("m#prod#3") == ["unknown-key"])
        // The other way round: an OpenPGP signature where SSH keys are named.
        try await it.settings("{signers: .ml/allowed_signers}")
        #expect(try await it.codes("m#prod#1") == ["unknown-key"])
    }

    // Case D-07.
    @Test func `an expired and a revoked OpenPGP key are told apart`() async throws {
        let it = try await repository()
        try await tag(it, "m#prod#1")
        try await gpg(
            it,
            """
            key=$(gpg --with-colons --list-keys lead@example.com | sed -n 's/^fpr:*\\([0-9A-F]*\\):/\\1/p' | head -1)
            gpg --faked-system-time 20250101T000000! --quick-set-expire "$key" 2025-02-01
            gpg --armor --export lead@example.com > .ml/keys.asc
            git commit -qam expired
            """)
        #expect(try await it.codes() == ["expired-key"])
        // A certificate of revocation is more than a date.
        try await gpg(
            it,
            """
            key=$(gpg --with-colons --list-keys lead@example.com | sed -n 's/^fpr:*\\([0-9A-F]*\\):/\\1/p' | head -1)
            gpg --quick-set-expire "$key" never
            sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/$key.rev" > ../revocation
            gpg --import ../revocation
            gpg --armor --export lead@example.com > .ml/keys.asc
            git commit -qam revoked
            """)
        #expect(try await it.codes() == ["revoked-key"])
    }

    @Test func `a tag that was changed after it was signed is refused`() async throws {
        let it = try await repository()
        try await tag(it, "m#prod#1")
        try await it.sh(
            """
            git cat-file tag 'm#prod#1' | sed 's/stage it/stage it now/' > ../object
            git update-ref 'refs/tags/m#prod#1' "$(git hash-object -t tag -w --stdin < ../object)"
            """)
        #expect(try await it.codes() == ["bad-signature"])
    }
}
