internal import Base
internal import CurlShim

/// The parts of an absolute URL, as libcurl reads it.
public struct WebAddress: Sendable, Equatable {
    public let url: String
    /// In lower case.
    public let scheme: String
    public let host: String
    public let port: Int
    /// Percent-encoded, with its first slash.
    public let path: String
    /// Decoded; nil when the URL names none.
    public let user: String?
    public let password: String?

    /// Nil when the text is no absolute URL, or libcurl cannot be opened.
    public init?(_ text: String) { self.init(resolved: Self.take(curlshim_resolve(nil, text))) }

    /// The address that `reference` means on a page at this one.
    public func resolving(_ reference: String) -> WebAddress? {
        WebAddress(resolved: Self.take(curlshim_resolve(url, reference)))
    }

    private init?(resolved: String?) {
        guard let resolved, let scheme = Self.take(curlshim_part(resolved, CChar(UInt8(ascii: "s")))) else {
            return nil
        }
        url = resolved
        self.scheme = scheme.lowercased()
        host = Self.take(curlshim_part(resolved, CChar(UInt8(ascii: "h"))))?.lowercased() ?? ""
        port = Self.take(curlshim_part(resolved, CChar(UInt8(ascii: "t")))).flatMap { Int($0) } ?? 0
        path = Self.take(curlshim_part(resolved, CChar(UInt8(ascii: "p")))) ?? "/"
        user = Self.take(curlshim_part(resolved, CChar(UInt8(ascii: "u"))))
        password = Self.take(curlshim_part(resolved, CChar(UInt8(ascii: "w"))))
    }

    private static func take(_ text: UnsafeMutablePointer<CChar>?) -> String? {
        guard let text else { return nil }
        defer { free(text) }
        return String(cString: text)
    }

    /// Whether credentials for one are meant for the other too: scheme, host and port are the same.
    public func sharesOrigin(with other: WebAddress) -> Bool {
        scheme == other.scheme && host == other.host && port == other.port
    }

    /// The host, with its port where that is not the scheme's own: the `Host` header.
    public var authority: String {
        (scheme, port) == ("http", 80) || (scheme, port) == ("https", 443) ? host : "\(host):\(port)"
    }

    /// A URL without what stands before an `@` in its host, and without its query and fragment.
    public static func withoutSecrets(_ url: String) -> String {
        var text = url.prefix { $0 != "?" && $0 != "#" }
        if let scheme = text.firstRange(of: "://"),
            let at = text[scheme.upperBound...].prefix(while: { $0 != "/" }).lastIndex(of: "@")
        {
            text = text[..<scheme.upperBound] + text[text.index(after: at)...]
        }
        return String(text)
    }

    /// Everything but letters, digits and `-_.~` as `%XX`, the form that signatures are made over.
    ///
    /// What stands in `keep` stays as it is.
    public static func encode(_ text: String, keep: String = "") -> String {
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: out.append(byte)
            case _ where keep.utf8.contains(byte): out.append(byte)
            default: out += "%\(Hex.encode([byte]).uppercased())".utf8
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The opposite; a `%` that no two hex digits follow stays.
    public static func decode(_ text: String) -> String {
        let units = Array(text.utf8)
        var out: [UInt8] = []
        var i = 0
        while i < units.count {
            if units[i] == 37, i + 2 < units.count,
                let byte = Hex.decode(String(decoding: units[i + 1...i + 2], as: UTF8.self).lowercased())
            {
                out += byte
                i += 3
            } else {
                out.append(units[i])
                i += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
