import Base
import SystemPackage
import TestSupport
import Testing

@testable import Gzip

struct GzipTests {
    private let sandbox: Sandbox

    init() throws { sandbox = try Sandbox() }

    private static func stored(_ bytes: [UInt8], step: Int) -> (file: [UInt8], crc: UInt32) {
        var out: [UInt8] = []
        var gzip = StoredGzip.Writer(contentSize: Int64(bytes.count))
        for start in stride(from: 0, to: bytes.count, by: step) {
            bytes[start..<min(start + step, bytes.count)].withUnsafeBytes { piece in gzip.append(piece) { out += $0 } }
        }
        gzip.finish { out += $0 }
        return (out, gzip.crc)
    }

    private static func deflated(_ bytes: [UInt8], step: Int) -> [UInt8] {
        var out: [UInt8] = []
        var gzip = DeflatedGzip()
        for start in stride(from: 0, to: bytes.count, by: step) {
            bytes[start..<min(start + step, bytes.count)].withUnsafeBytes { piece in gzip.append(piece) { out += $0 } }
        }
        gzip.finish { out += $0 }
        return out
    }

    private func unzipped(_ bytes: [UInt8]) async throws -> Digest? {
        try Files.replace(sandbox.path.appending("x.gz"), with: bytes)
        return Digest(try await sandbox.sh("gzip -dc x.gz | sha256sum").prefix(64))
    }

    @Test(arguments: [0, 1, 7, 8, 65_534, 65_535, 65_536, 131_070, 200_003])
    func `stored gzip of any length is read by gzip, and can be made from anywhere`(count: Int) async throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let (file, crc) = Self.stored(bytes, step: 30_011)
        let other = Self.stored(bytes, step: 7_001).file
        #expect(file == other)
        let found = try await unzipped(file)
        #expect(found == .of(bytes))

        let form = StoredGzip(contentSize: Int64(count))
        #expect(form.size == Int64(file.count))
        var room = [UInt8](repeating: 0, count: 50_021)
        for start in [0, 3, 9, 10, 14, 15, 16, 65_549, 65_550, file.count - 8, file.count - 1, file.count]
        where start <= file.count {
            let got = room.withUnsafeMutableBytes { room in
                form.read(at: Int64(start), into: room, crc: crc) { offset, room in
                    let part = bytes[Int(offset)...].prefix(min(room.count, 4_099))
                    room.copyBytes(from: part)
                    return part.count
                }
            }
            #expect(got == min(room.count, file.count - start))
            #expect(room[..<got] == file[start..<start + got], "from \(start)")
        }
    }

    /// Contents that bring every part of the encoder to work: none, one byte, one letter only, text, noise, both, and blocks.
    private static func content(_ name: String) -> [UInt8] {
        var generator = SeededGenerator(seed: 3)
        func noise(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) } }
        func words(_ count: Int) -> [UInt8] {
            let words = ["import ", "def ", "self.", "return ", "numpy", "\n    ", "(x, y)", "array", "é", " = "]
            var text: [UInt8] = []
            while text.count < count { text += Array(words[Int(generator.next() % UInt64(words.count))].utf8) }
            return text
        }
        switch name {
        case "none": return []
        case "byte": return [65]
        case "zeros": return [UInt8](repeating: 0, count: 300_000)
        case "text": return words(400_000)
        case "noise": return noise(150_000)
        case "far":
            let head = noise(32_768)
            return head + head + noise(1) + head
        default: return words(65_536) + noise(65_536) + words(10)
        }
    }

    @Test(arguments: ["none", "byte", "zeros", "text", "noise", "far", "mixed"])
    func `deflated gzip is read by gzip, whatever is in it and however it came`(name: String) async throws {
        let bytes = Self.content(name)
        let file = Self.deflated(bytes, step: 100_003)
        let other = Self.deflated(bytes, step: 997)
        #expect(file == other)
        let found = try await unzipped(file)
        #expect(found == .of(bytes))
        if name == "text" { #expect(file.count < bytes.count / 3) }
        if name == "noise" { #expect(file.count < bytes.count + 500) }
    }

    @Test func `the processor's checksum is that of the table, of any length and from any place`() {
        let bytes = ImageFixture.noise(5_000)
        bytes.withUnsafeBytes { bytes in
            for count in Array(0...200) + [1_000, 4_095, 4_096, 4_983] {
                for start in [0, 1, 7, 16] {
                    let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
                    #expect(
                        CRC32.update(0x1234_5678, piece) == CRC32.byTable(0x1234_5678, piece), "\(count) from \(start)")
                }
            }
        }
        let known = Array("123456789".utf8).withUnsafeBytes { ~CRC32.update(CRC32.start, $0) }
        #expect(known == 0xcbf4_3926)
    }

    /// Frequencies like Fibonacci's numbers make codes as long as there are symbols.
    @Test(arguments: [(30, 15), (19, 7), (2, 15), (286, 15)])
    func `codes keep to their limit and waste nothing`(count: Int, limit: Int) {
        var frequencies = [1, 1]
        while frequencies.count < count { frequencies.append(min(1 << 40, frequencies.suffix(2).reduce(0, +))) }
        let lengths = HuffmanCode(frequencies, limit: limit).lengths
        #expect(lengths.allSatisfy { (1...limit).contains($0) })
        #expect(lengths.reduce(0) { $0 + 1 << (limit - $1) } == 1 << limit)
        #expect(zip(lengths, lengths.dropFirst()).allSatisfy { $0 >= $1 })
    }

    @Test func `the encoder's bytes are written down here: layers' digests depend on them`() {
        let all = ["none", "byte", "zeros", "text", "noise", "far", "mixed"].map { name in
            "\(name) \(Digest.of(Self.deflated(Self.content(name), step: 50_000)).short)"
        }
        // They may only change together with LayerBuilder.revision.
        #expect(
            all == [
                "none 8c4c679b2170", "byte d29c65ad50c0", "zeros acb674f3fca0", "text c7211c652913",
                "noise 119b4bd2c267", "far dd24bb30e169", "mixed b1d5c995c525",
            ])
    }
}
