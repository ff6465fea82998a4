internal import Base

/// One way of logging in that a registry offers in `WWW-Authenticate` (RFC 9110, 11.6.1).
struct RegistryChallenge: Equatable {
    /// In lower case: `bearer`, `basic`.
    let scheme: String
    /// By lower-case name.
    let fields: [String: String]

    /// All challenges of a header; commas part challenges and fields alike, but not inside quotes.
    static func parse(_ header: String) -> [RegistryChallenge] {
        var challenges: [RegistryChallenge] = []
        var scheme: String?
        var fields: [String: String] = [:]
        func close() {
            if let scheme { challenges.append(RegistryChallenge(scheme: scheme, fields: fields)) }
            fields = [:]
        }
        var rest = header[...]
        while true {
            rest = rest.drop { " \t,".contains($0) }
            let word = rest.prefix { !" \t,=".contains($0) }
            guard !word.isEmpty else { break }
            rest = rest.dropFirst(word.count)
            let behind = rest.drop { " \t".contains($0) }
            if behind.first == "=" {
                let value: String
                (value, rest) = self.value(behind.dropFirst().drop { " \t".contains($0) })
                fields[word.lowercased()] = value
            } else {
                close()
                scheme = word.lowercased()
            }
        }
        close()
        return challenges
    }

    private static func value(_ text: Substring) -> (String, Substring) {
        guard text.first == "\"" else {
            let value = text.prefix { !" \t,".contains($0) }
            return (String(value), text.dropFirst(max(1, value.count)))
        }
        var value = ""
        var rest = text.dropFirst()
        while let character = rest.popFirst(), character != "\"" {
            value.append(character == "\\" ? rest.popFirst() ?? character : character)
        }
        return (value, rest)
    }
}
