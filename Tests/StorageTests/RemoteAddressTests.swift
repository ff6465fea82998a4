import Base
import SystemPackage
import TestSupport
import Testing
import Transport

@testable import Storage

/// Which remote an address names, and whose keys it gets.
struct RemoteAddressTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func remote(_ address: String, _ environment: [String: String] = [:]) throws -> any ObjectRemote {
        try objectRemote(address, environment: ["HOME": folder.path.string].merging(environment) { $1 })
    }

    @Test(arguments: [
        "", "bucket", "s3://", "s3:///x", "s3://user:pass@bucket/x", "s3://bucket/../x",
        "s3://bucket?endpoint=http://evil",
        "ftp://host/x", "file://relative/x", "az://account", "gs://", "s3://bu cket/x", "az://acc.evil.com/../c",
    ])
    func `what is no address is refused`(address: String) {
        #expect(throws: (any Error).self) { try remote(address) }
    }

    @Test func `a password in an address is not shown`() throws {
        #expect(try remote("https://ann:secret@host/x?token=secret").address == "https://host/x")
    }

    @Test func `a folder's address may be encoded`() throws {
        #expect(try remote("file:///srv/a%20b").address == "file:///srv/a b")
    }

    @Test func `keys come from the profile that is asked for`() throws {
        try folder.write(
            ".aws/credentials",
            "[default]\naws_access_key_id = A\naws_secret_access_key=B\n[work]\naws_access_key_id = C\naws_secret_access_key = D=+/\naws_session_token=E\n"
        )
        try folder.write(
            ".aws/config",
            "# comment\n[default]\nregion = eu-west-1\n[profile work]\nregion=eu-north-1\ns3 =\n  addressing_style = path\nendpoint_url = http://localhost:9\n[profile sso]\nsso_session = x\n"
        )
        let home = ["HOME": folder.path.string]
        let first = try AWSSettings(home)
        #expect(first.credentials?.accessKey == "A" && first.region == "eu-west-1" && first.endpoint == nil)
        let work = try AWSSettings(home.merging(["AWS_PROFILE": "work"]) { $1 })
        #expect(work.credentials?.secretKey == "D=+/" && work.credentials?.sessionToken == "E")
        #expect(work.region == "eu-north-1" && work.endpoint == "http://localhost:9")
        let both = try AWSSettings(
            home.merging(["AWS_ACCESS_KEY_ID": "X", "AWS_SECRET_ACCESS_KEY": "Y", "AWS_REGION": "r"]) { $1 })
        #expect(both.credentials?.accessKey == "X" && both.region == "r")
        #expect(throws: RemoteFailure.self) { try AWSSettings(home.merging(["AWS_PROFILE": "none"]) { $1 }) }
        let sso = #expect(throws: RemoteFailure.self) { try AWSSettings(home.merging(["AWS_PROFILE": "sso"]) { $1 }) }
        #expect(sso?.hints.first?.contains("export-credentials --profile sso") == true)
    }

    @Test func `an account's keys are not given to another account`() throws {
        let key = ["AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_KEY": "a2V5"]
        _ = try remote("az://acme/data", key)
        #expect(throws: RemoteFailure.self) { try remote("az://evil/data", key) }
        let token = ["AZURE_STORAGE_SAS_TOKEN": "?sig=secret"]
        let failure = #expect(throws: RemoteFailure.self) { try remote("az://acme/data", token) }
        #expect(failure.map { "\($0) \($0.hints)".contains("secret") } == false)
        _ = try remote("az://acme/data", token.merging(["AZURE_STORAGE_ACCOUNT": "acme"]) { $1 })
        let connection =
            "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5PQ==;EndpointSuffix=core.windows.net"
        let settings = try AzureSettings(account: "acme", ["AZURE_STORAGE_CONNECTION_STRING": connection])
        #expect(settings.endpoint.url == "https://acme.blob.core.windows.net/")
        #expect(throws: RemoteFailure.self) {
            try remote("az://evil/data", ["AZURE_STORAGE_CONNECTION_STRING": connection])
        }
    }

    @Test func `a rate bounds what all transfers move together`() async throws {
        let server = try await RemoteServer(.s3OfRclone)
        let store = ContentStore(folder.path.appending("store"))
        let contents = try (0..<4).map { ContentID(try store.insert(bytes(500_000, seed: $0)), size: 500_000) }
        let remote = try objectRemote(
            server.address, environment: server.environment.merging(["GIT_ML_RATE": "1MB"]) { $1 })
        let time = try await ContinuousClock().measure { try await Transfer(remote, store: store).upload(contents) }
        #expect(time > .milliseconds(1700))
        #expect(throws: RemoteFailure.self) {
            try objectRemote("s3://b", environment: ["HOME": "/", "GIT_ML_RATE": "fast"])
        }
    }
}

struct XMLTests {
    private func parse(_ text: String) -> XMLElement? { XMLElement.parse(Array(text.utf8)) }

    @Test func `elements, text and entities are read`() {
        let root = parse(
            "\u{feff}<?xml version='1.0'?><!-- c --><a:R xmlns='x' y=\"a>b\"><K>a&amp;b&lt;&#65;&#x42;&bad;</K><E/><K>\n<![CDATA[<x>]]></K></a:R>"
        )
        #expect(root?.name == "R")
        #expect(root?.all("K").map(\.text) == ["a&b<AB&bad;", "\n<x>"])
        #expect(root?["E"] == XMLElement(name: "E"))
    }

    @Test(arguments: [
        "", "text", "<a>", "<a></b>", "</a>", "<a", "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "<a><![CDATA[x",
    ])
    func `what is not well-formed is nothing`(text: String) { #expect(parse(text) == nil) }

    @Test func `a document without end of depth is refused`() {
        #expect(parse(String(repeating: "<a>", count: 100_000)) == nil)
    }
}
