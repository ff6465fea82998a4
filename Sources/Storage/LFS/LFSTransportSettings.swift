internal import Base
internal import Transport

/// What git's settings say about connections to an address: certificates and proxy.
struct LFSTransportSettings {
    let tls: TLSOptions
    let proxy: String?

    init(_ settings: LFSSettings, _ address: NetworkAddress, variable: (String) -> String? = { environmentValue($0) }) {
        func value(_ key: String) -> String? { settings.values("http", key, for: address).values.last }
        var tls = TLSOptions()
        tls.verifies = variable("GIT_SSL_NO_VERIFY") == nil && value("sslverify").flatMap(LFSSettings.bool) ?? true
        tls.authorities = (variable("GIT_SSL_CAINFO") ?? value("sslcainfo")).map(Self.expanded)
        tls.certificate = (variable("GIT_SSL_CERT") ?? value("sslcert")).map(Self.expanded)
        tls.key = (variable("GIT_SSL_KEY") ?? value("sslkey")).map(Self.expanded)
        self.tls = tls
        proxy = value("proxy")
    }

    private static func expanded(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = environmentValue("HOME") else { return path }
        return home + path.dropFirst(1)
    }
}
