internal import Base

extension Repository {
    /// The bytes of a commit object, divided into what is signed and the signature, which stands in its header `gpgsig`.
    public func signedCommit(_ id: ObjectID) throws -> SignedText {
        let bytes = try bytes(of: id, as: .commit)
        var payload: [UInt8] = []
        var signature: [UInt8] = []
        var (at, isSignature) = (0, false)
        while at < bytes.count, bytes[at] != 0x0a {
            let end = (bytes[at...].firstIndex(of: 0x0a) ?? bytes.count - 1) + 1
            let line = bytes[at..<end]
            if line.first == 0x20 {
                if isSignature { signature += line.dropFirst() } else { payload += line }
            } else {
                isSignature = line.starts(with: "gpgsig ".utf8) || line.starts(with: "gpgsig-sha256 ".utf8)
                if isSignature {
                    signature = Array(line[(line.firstIndex(of: 0x20) ?? line.startIndex)...].dropFirst())
                } else {
                    payload += line
                }
            }
            at = end
        }
        payload += bytes[at...]
        let text = SignedText(payload: payload, signature: String(decoding: signature, as: UTF8.self))
        // What was put into the message must not be read as a signature.
        return text.payload == payload ? text : SignedText(payload: payload, signature: "")
    }
}
