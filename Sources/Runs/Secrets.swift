internal import Base

/// Finds what looks like a password or a key, so that it gets into no snapshot, journal or note.
///
/// By name: parameters, options and variables that are called like a secret. By form: tokens of well-known services,
/// private keys, passwords inside URLs. Both err on the side of masking.
public enum Secrets {
    /// What stands in place of a secret.
    public static let mask = "***"

    // MARK: Names

    private static let always: Set<String> = [
        "password", "passwd", "pwd", "passphrase", "secret", "secrets", "credential", "credentials", "apikey",
        "accesskey", "privatekey", "authtoken", "accesstoken", "bearer",
    ]
    /// Secret as the last word of a name: `hf_token`, `key`; `max_tokens`, `token_limit` and `key_dim` are none.
    private static let atEnd: Set<String> = ["token", "key", "auth", "pat"]
    private static let beforeKey: Set<String> = ["api", "access", "private", "secret", "ssh", "signing", "encryption"]

    /// Whether a parameter, option or variable of that name is taken for a secret.
    public static func isSecret(name: String) -> Bool {
        let words = words(of: name)
        guard let last = words.last else { return false }
        if words.contains(where: { always.contains($0) }) || atEnd.contains(last) { return true }
        return zip(words, words.dropFirst()).contains { ["key", "token"].contains($1) && beforeKey.contains($0) }
    }

    /// The words of `hfToken`, `HF_TOKEN`, `model.hf-token`, in small letters.
    private static func words(of name: String) -> [String] {
        var words: [String] = []
        var word = ""
        var wasSmall = false
        for character in name {
            guard character.isLetter || character.isNumber else {
                if !word.isEmpty { words.append(word) }
                (word, wasSmall) = ("", false)
                continue
            }
            if character.isUppercase, wasSmall {
                words.append(word)
                word = ""
            }
            wasSmall = character.isLowercase || character.isNumber
            word += character.lowercased()
        }
        return word.isEmpty ? words : words + [word]
    }

    // MARK: Masking

    /// Parameters or tags with secret values masked: by name, or by the form of the value.
    public static func masked(_ values: [String: String]) -> [String: String] {
        var result = values
        for (key, value) in values where !value.isEmpty {
            result[key] = isSecret(name: key) ? mask : masked(text: value)
        }
        return result
    }

    /// A command line with secret values masked: `--password x`, `--password=x`, `TOKEN=x`, `https://u:p@host`.
    public static func masked(arguments: [String]) -> [String] {
        var result: [String] = []
        var isValueSecret = false
        for word in arguments {
            let isOption = word.hasPrefix("-")
            if isValueSecret, !isOption {
                result.append(mask)
                isValueSecret = false
                continue
            }
            isValueSecret = false
            if let equals = word.firstIndex(of: "="), isSecret(name: String(word[..<equals])) {
                result.append(word[...equals] + mask)
            } else {
                isValueSecret = isOption && !word.contains("=") && isSecret(name: word)
                result.append(masked(text: word))
            }
        }
        return result
    }

    /// A text with everything masked in it that has the form of a secret.
    public static func masked(text: String) -> String {
        let bytes = Array(text.utf8)
        let found = spans(in: bytes)
        if found.isEmpty { return text }
        return String(decoding: masked(bytes, spans: found), as: UTF8.self)
    }

    /// Bytes with everything masked in them that has the form of a secret, or that is one of `values`.
    public static func masked(bytes: [UInt8], values: [[UInt8]]) -> [UInt8] {
        var found = spans(in: bytes)
        for value in values { found += occurrences(of: value, in: bytes) }
        return found.isEmpty ? bytes : masked(bytes, spans: found)
    }

    private static func masked(_ bytes: [UInt8], spans: [Range<Int>]) -> [UInt8] {
        var out: [UInt8] = []
        var at = 0
        for span in spans.sorted(by: { $0.lowerBound < $1.lowerBound }) where span.upperBound > at {
            if span.lowerBound >= at {
                out += bytes[at..<span.lowerBound]
                out += mask.utf8
            }
            at = span.upperBound
        }
        return out + bytes[at...]
    }

    // MARK: Forms

    private struct Form {
        let prefix: [UInt8]
        /// The fewest characters behind the prefix.
        let length: Int

        init(_ prefix: String, _ length: Int) {
            self.prefix = Array(prefix.utf8)
            self.length = length
        }
    }

    /// How well-known services begin their tokens, and how long they are at least.
    private static let forms = [
        Form("AKIA", 16), Form("ASIA", 16), Form("ghp_", 30), Form("gho_", 30), Form("ghu_", 30), Form("ghs_", 30),
        Form("github_pat_", 40), Form("glpat-", 18), Form("xoxb-", 20), Form("xoxp-", 20), Form("xapp-", 20),
        Form("sk-", 24), Form("sk_live_", 16), Form("rk_live_", 16), Form("hf_", 28), Form("AIza", 33),
        Form("npm_", 34), Form("pypi-", 40), Form("dop_v1_", 40), Form("SG.", 40), Form("eyJhbGci", 40),
        Form("wandb_v1_", 20), Form("AccountKey=", 40),
    ]
    private static let privateKey = Array("PRIVATE KEY-----".utf8)

    /// Where something stands that has the form of a secret.
    static func spans(in bytes: [UInt8]) -> [Range<Int>] {
        var found: [Range<Int>] = []
        for form in forms {
            for match in occurrences(of: form.prefix, in: bytes) {
                // Inside a word it is a coincidence: `task-…` is no `sk-…`.
                if match.lowerBound > 0, isWord(bytes[match.lowerBound - 1]) { continue }
                var end = match.upperBound
                while end < bytes.count, isToken(bytes[end]) { end += 1 }
                let rest = bytes[match.upperBound..<end]
                let isMixed = rest.contains { (48...57).contains($0) || (65...90).contains($0) }
                if rest.count >= form.length, isMixed { found.append(match.lowerBound..<end) }
            }
        }
        for match in occurrences(of: privateKey, in: bytes) where hasBegin(before: match.lowerBound, in: bytes) {
            let end = occurrences(of: Array("-----END".utf8), in: bytes[match.upperBound...]).first?.lowerBound
            found.append(match.upperBound..<(end ?? bytes.count))
        }
        return found + passwordsInURLs(bytes)
    }

    private static func hasBegin(before end: Int, in bytes: [UInt8]) -> Bool {
        let window = bytes[max(0, end - 30)..<end]
        return !occurrences(of: Array("-----BEGIN".utf8), in: window).isEmpty
    }

    /// The passwords of `scheme://user:password@host`.
    private static func passwordsInURLs(_ bytes: [UInt8]) -> [Range<Int>] {
        occurrences(of: Array("://".utf8), in: bytes).compactMap { match in
            var colon: Int?
            var at = match.upperBound
            while at < bytes.count, bytes[at] > 0x20, bytes[at] != UInt8(ascii: "/"), bytes[at] != UInt8(ascii: "\"") {
                if bytes[at] == UInt8(ascii: ":"), colon == nil { colon = at }
                if bytes[at] == UInt8(ascii: "@") { return colon.flatMap { $0 + 1 < at ? $0 + 1..<at : nil } }
                at += 1
            }
            return nil
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 0x5f
    }

    private static func isToken(_ byte: UInt8) -> Bool { isWord(byte) || "-.+/=".utf8.contains(byte) }

    private static func occurrences(of needle: [UInt8], in bytes: [UInt8]) -> [Range<Int>] {
        occurrences(of: needle, in: bytes[...])
    }

    private static func occurrences(of needle: [UInt8], in bytes: ArraySlice<UInt8>) -> [Range<Int>] {
        guard let first = needle.first, bytes.count >= needle.count else { return [] }
        return bytes.withUnsafeBufferPointer { pointer in
            guard let base = pointer.baseAddress else { return [] }
            var found: [Range<Int>] = []
            var at = 0
            while at <= pointer.count - needle.count,
                let hit = memchr(base + at, Int32(first), pointer.count - needle.count - at + 1)
            {
                at = base.distance(to: hit.assumingMemoryBound(to: UInt8.self))
                if memcmp(base + at, needle, needle.count) == 0 {
                    found.append(bytes.startIndex + at..<bytes.startIndex + at + needle.count)
                }
                at += 1
            }
            return found
        }
    }
}

// MARK: - Files

extension Secrets {
    /// Whether a file of that name is never kept, whatever is in it: `.env`, key files, credential stores.
    public static func isSecretFile(_ path: String) -> Bool {
        let name = (path.split(separator: "/").last.map(String.init) ?? path).lowercased()
        if name == ".env" || name.hasPrefix(".env.") || name.hasSuffix(".env") || name.hasPrefix(".env") { return true }
        if [".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".ppk", ".kdbx"].contains(where: name.hasSuffix) {
            return true
        }
        let names: Set<String> = [
            "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc", "_netrc", ".pgpass", ".git-credentials", ".npmrc",
            ".pypirc", ".htpasswd", "kubeconfig", "credentials", "credentials.json", "client_secret.json",
            "service-account.json", ".dockercfg",
        ]
        return names.contains(name)
    }

    /// The number of the first line, from 1, in which a credential stands; nil when there is none.
    ///
    /// That is something of a secret's form, or a name that looks secret with a literal of eight characters or more
    /// behind it that has letters and digits: `API_KEY = "s3cr3t-abc"`.
    public static func line(in bytes: [UInt8]) -> Int? {
        // Binary files hold no text to scan.
        if bytes.prefix(8000).contains(0) { return nil }
        var first = spans(in: bytes).map(\.lowerBound).min()
        for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: false) {
            if let first, first < line.startIndex { break }
            if line.count < 4096, hasAssignment(String(decoding: line, as: UTF8.self)) {
                first = line.startIndex
                break
            }
        }
        return first.map { at in 1 + bytes[..<at].count { $0 == 0x0a } }
    }

    private static func hasAssignment(_ line: String) -> Bool {
        guard let sign = line.firstIndex(where: { $0 == "=" || $0 == ":" }) else { return false }
        let name = line[..<sign].drop { !$0.isLetter && $0 != "_" }.split {
            !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "-"
        }
        guard let last = name.last, isSecret(name: String(last)) else { return false }
        let rest = line[line.index(after: sign)...].drop { $0 == "=" || $0 == " " || $0 == "\t" }
        let isQuoted = rest.first == "\"" || rest.first == "'"
        let body =
            isQuoted
            ? rest.dropFirst().prefix { $0 != "\"" && $0 != "'" }
            : rest.prefix { !$0.isWhitespace && $0 != "#" && $0 != "," }
        let value = String(body)
        // Calls, look-ups and placeholders are no literals.
        guard value.count >= 8, !value.contains(where: { "(){}[]<>$ ".contains($0) }) else { return false }
        if !isQuoted, value.contains(".") { return false }
        return value.contains(where: \.isLetter) && value.contains(where: \.isNumber)
    }
}
