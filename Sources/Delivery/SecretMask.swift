internal import Base
internal import Runs

/// Takes secrets out of what is said, logged and recorded: whatever has the form of one, and the values of this process's
/// variables whose names look secret, plain, in base64 and percent-encoded.
struct SecretMask: Sendable {
    /// Shorter values would mask half of every text.
    private static let shortest = 6

    private let values: [[UInt8]]

    init(_ environment: [String: String] = Daemon.currentEnvironment()) {
        values = environment.filter {
            // PWD is a folder, whatever its name looks like.
            Secrets.isSecret(name: $0.key) && !["PWD", "OLDPWD"].contains($0.key)
                && $0.value.utf8.count >= Self.shortest
        }
        .values.flatMap { value in
            [value, Base64.encode(Array(value.utf8)), Self.percentEncoded(value), Self.escaped(value)]
        }
        .map { Array($0.utf8) }
    }

    func masked(_ text: String) -> String {
        String(decoding: Secrets.masked(bytes: Array(text.utf8), values: values), as: UTF8.self)
    }

    private static func percentEncoded(_ text: String) -> String {
        text.utf8.map { unit in
            let isPlain =
                (48...57).contains(unit) || (65...90).contains(unit) || (97...122).contains(unit)
                || "-_.~".utf8.contains(unit)
            return isPlain ? String(UnicodeScalar(unit)) : "%" + Hex.encode([unit]).uppercased()
        }.joined()
    }

    /// As it stands inside JSON, without the quotes.
    private static func escaped(_ text: String) -> String {
        String("\(JSON.string(text))".dropFirst().dropLast())
    }
}
