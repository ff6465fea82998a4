public import Base

/// A signed document in a Dead Simple Signing Envelope (DSSE 1.0), as in-toto's statements are signed.
///
/// DSSE leaves the kind of signature to those who sign and verify. Ours are the armoured texts of OpenSSH or OpenPGP, whose keys
/// git signs with.
public struct SignedEnvelope: Sendable, Equatable {
    /// The media type of an envelope in JSON.
    public static let type = "application/vnd.dsse.envelope.v1+json"

    public let payloadType: String
    public let payload: [UInt8]
    public private(set) var signatures: [[UInt8]] = []

    public init(_ payload: [UInt8], type: String) {
        self.payload = payload
        payloadType = type
    }

    /// Reads an envelope; nil for anything else.
    public init?(_ bytes: [UInt8]) {
        guard let json = try? JSON.parse(String(decoding: bytes, as: UTF8.self)),
            let type = json["payloadType"]?.string,
            let payload = json["payload"]?.string.flatMap({ Base64.decode($0) }),
            let signatures = json["signatures"]?.array
        else { return nil }
        self.init(payload, type: type)
        self.signatures = signatures.compactMap { $0["sig"]?.string.flatMap { Base64.decode($0) } }
    }

    /// What is signed: the type and the document, each with its length before it.
    public var signedBytes: [UInt8] {
        Array("DSSEv1 \(payloadType.utf8.count) \(payloadType) \(payload.count) ".utf8) + payload
    }

    /// The same with one signature more.
    public func adding(signature: [UInt8]) -> SignedEnvelope {
        var copy = self
        copy.signatures.append(signature)
        return copy
    }

    public var json: JSON {
        [
            "payload": .string(Base64.encode(payload)), "payloadType": .string(payloadType),
            "signatures": .array(signatures.map { ["sig": .string(Base64.encode($0))] }),
        ]
    }
}
