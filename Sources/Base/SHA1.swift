internal import Crypto

/// SHA-1, which git names objects by; nothing of ours relies on it to withstand an attack.
public enum SHA1 {
    /// The 20 bytes of the digest.
    public static func of(_ bytes: [UInt8]) -> [UInt8] { Array(Insecure.SHA1.hash(data: bytes)) }
}
