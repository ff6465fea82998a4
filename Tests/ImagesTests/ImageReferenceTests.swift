import Base
import Testing

@testable import Images

struct ImageReferenceTests {
    private static let digest = "sha256:" + String(repeating: "a", count: 64)

    @Test(arguments: [
        ("oci:/srv/images:v1", "oci:/srv/images:v1"), ("oci:images", "oci:images"), ("oci:/a:b/c", "oci:/a:b/c"),
        ("oci:images@\(digest)", "oci:images@\(digest)"),
        ("ghcr.io/acme/churn:v1", "ghcr.io/acme/churn:v1"), ("localhost:5000/churn", "localhost:5000/churn"),
        ("localhost/churn:x", "localhost/churn:x"), ("[::1]:5000/a/b:x", "[::1]:5000/a/b:x"),
        ("acme/churn", "docker.io/acme/churn"), ("docker://127.0.0.1:5000/a/b:x", "127.0.0.1:5000/a/b:x"),
        ("python:3.12-slim", "docker.io/library/python:3.12-slim"), ("python", "docker.io/library/python"),
        ("docker.io/python", "docker.io/library/python"), ("index.docker.io/acme/x", "docker.io/acme/x"),
        ("GHCR.io/acme/churn", "ghcr.io/acme/churn"), ("ghcr.io/a/b__c---d.e_f:x", "ghcr.io/a/b__c---d.e_f:x"),
        ("ghcr.io/acme/churn@\(digest)", "ghcr.io/acme/churn@\(digest)"),
        ("ghcr.io/acme/churn:v1@\(digest)", "ghcr.io/acme/churn:v1@\(digest)"),
        ("docker-archive:/tmp/a.tar", "docker-archive:/tmp/a.tar"),
        ("docker-archive:a.tar:v1", "docker-archive:a.tar:v1"),
        ("docker-archive:a.tar:acme/churn:v1", "docker-archive:a.tar:docker.io/acme/churn:v1"),
        ("oci-archive:a.tar:v1", "oci-archive:a.tar:v1"),
    ])
    func `a reference is read as skopeo and docker read it`(text: String, meaning: String) throws {
        let reference = try ImageReference(text)
        #expect(reference.description == meaning)
        let again = try ImageReference(reference.description)
        #expect(again == reference)
    }

    @Test(arguments: [
        "", "oci:", "Acme/churn", "ghcr.io/", "ghcr.io/a b", "ghcr.io/a:$(id)", "ghcr.io/-a", "oci:/x:a b",
        "ghcr.io//a", "ghcr.io/a..b", "ghcr.io/a_-b", "ghcr.io/a___b", "ghcr.io/a@sha256:12", "ghcr.io/a@md5:00",
        "localhost:99999/a", "ghcr.io/a:.x", "ghcr.io/a:" + String(repeating: "t", count: 129), "docker-archive:",
        "docker-archive:a.tar:A/b:c", "ghcr.io/" + String(repeating: "n", count: 256),
    ])
    func `what names no image is refused`(text: String) {
        #expect(throws: ImageFailure.badReference(text)) { try ImageReference(text) }
    }

    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("linux/x86_64", "linux/amd64"), ("linux/aarch64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v7"), ("linux/armhf", "linux/arm/v7"),
    ])
    func `a platform is read with the names that uname has too`(text: String, meaning: String) throws {
        #expect(try Platform(text).description == meaning)
    }

    @Test(arguments: ["", "linux", "linux/", "linux/a/b/c", "linux/amd 64", "../amd64"])
    func `what is no platform is refused`(text: String) {
        #expect(throws: ImageFailure.badPlatform(text)) { try Platform(text) }
    }

    @Test(arguments: [
        ("linux/arm64", "linux/arm64/v8", 0), ("linux/arm64/v8", "linux/arm64", 0), ("linux/arm/v7", "linux/arm/v6", 1),
        ("linux/arm/v6", "linux/arm/v7", nil), ("linux/amd64", "linux/amd64/v3", nil),
        ("linux/amd64/v3", "linux/amd64", 2),
        ("linux/amd64", "windows/amd64", nil), ("linux/amd64", "linux/arm64", nil),
    ])
    func `what was made for an older processor runs on a newer one`(mine: String, other: String, distance: Int?) throws
    {
        let found = try Platform(mine).distance(of: Platform(other))
        #expect(found == distance)
    }

    @Test(arguments: [
        (
            #"Bearer Realm="https://a/token",service=reg,scope="repository:a/b:pull,push""#,
            [
                RegistryChallenge(
                    scheme: "bearer",
                    fields: ["realm": "https://a/token", "service": "reg", "scope": "repository:a/b:pull,push"])
            ]
        ),
        (
            #"Basic realm="a, \"b\"", BEARER realm = "https://x/t?a=b", service="s""#,
            [
                RegistryChallenge(scheme: "basic", fields: ["realm": #"a, "b""#]),
                RegistryChallenge(scheme: "bearer", fields: ["realm": "https://x/t?a=b", "service": "s"]),
            ]
        ),
        (
            "Negotiate, Basic realm=x",
            [
                RegistryChallenge(scheme: "negotiate", fields: [:]),
                RegistryChallenge(scheme: "basic", fields: ["realm": "x"]),
            ]
        ),
        ("", []), (#"Bearer realm="open"#, [RegistryChallenge(scheme: "bearer", fields: ["realm": "open"])]),
        (",,=,=", []),
    ])
    func `challenges are read with commas inside quotes`(header: String, meaning: [RegistryChallenge]) {
        #expect(RegistryChallenge.parse(header) == meaning)
    }
}
