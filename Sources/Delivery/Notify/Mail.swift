internal import Base
internal import GitKit
internal import SystemPackage

/// A mail, sent by the machine's `sendmail`.
struct Mail {
    private let notice: DeliveryNotice
    private let recipients: [String]
    private let sender: String

    init(_ notice: DeliveryNotice, to recipients: [String], from sender: String) {
        self.notice = notice
        self.recipients = recipients
        self.sender = sender
    }

    /// The message as RFC 5322 has it.
    var text: String {
        let lines = [
            ("delivery", notice.delivery), ("commit", notice.commit.hex), ("image", notice.image),
            ("served at", notice.target), ("reason", notice.reason),
        ].compactMap { name, value in value.map { "\(name): \($0)" } }
        return """
            From: \(sender)
            To: \(recipients.joined(separator: ", "))
            Subject: \(Self.header("[git-ml] \(notice.text)"))
            MIME-Version: 1.0
            Content-Type: text/plain; charset=utf-8
            Content-Transfer-Encoding: 8bit
            Auto-Submitted: auto-generated

            \(notice.text)

            \(lines.joined(separator: "\n"))

            """
    }

    func send() async throws {
        let path = (environmentValue("PATH") ?? "/usr/bin:/bin") + ":/usr/sbin:/usr/lib"
        guard let program = ChildProcess.find("sendmail", path: path) else {
            throw ProcessFailure.notFound(program: "sendmail")
        }
        try await ChildProcess.check(program.string, ["-i", "-t"], input: Array(text.utf8))
    }

    /// A header's value in one line, encoded where it is not plain (RFC 2047).
    static func header(_ text: String) -> String {
        let line = String(text.prefix(180).map { $0.isNewline ? " " : $0 })
        if line.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return line }
        // An encoded word holds at most 75 bytes: 45 of them before base64.
        var words: [[UInt8]] = [[]]
        for character in line {
            let bytes = Array(String(character).utf8.prefix(45))
            if words[words.count - 1].count + bytes.count > 42 { words.append([]) }
            words[words.count - 1] += bytes
        }
        return words.map { "=?UTF-8?B?\(Base64.encode($0))?=" }.joined(separator: "\n ")
    }
}
