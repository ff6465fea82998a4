internal import Crypto

/// An incremental MD5, by which DVC names content; nothing of ours relies on it to withstand an attack.
public struct MD5Hasher {
    private var state = Insecure.MD5()

    public init() {}

    public mutating func update(_ piece: UnsafeRawBufferPointer) { state.update(bufferPointer: piece) }
    public mutating func update(_ piece: [UInt8]) { piece.withUnsafeBytes { state.update(bufferPointer: $0) } }

    /// 32 lower-case hex digits.
    public func finish() -> String { Hex.encode(Array(state.finalize())) }
}
