import Base
import GitKit
import SystemPackage
import TestSupport
import Testing

@testable import Runs

struct FormatsTensorBoardTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func read(_ files: [String: [UInt8]], label: String = "logs/a") throws -> FoundContent {
        let folder = directory.path.appending("\(UUIDv7())")
        for (name, bytes) in files { try Files.replace(folder.appending("events.out.tfevents.\(name)"), with: bytes) }
        return try TensorBoardEvents.read(folder, label: label, code: .someCommit)
    }

    private func values(_ content: FoundContent, _ key: String) -> [Double]? {
        content.records.first?.series[key]?.map(\.value)
    }

    @Test func `the checksum is that of RFC 3720`() {
        #expect(CRC32C.of(Array("123456789".utf8)[...]) == 0xe306_9283)
        #expect(CRC32C.of([UInt8](repeating: 0, count: 32)[...]) == 0x8a91_36aa)
    }

    @Test func `a session that tensorboardX wrote is read with its hyperparameters`() throws {
        let bytes = try #require(Hex.decode(Self.session))
        let record = try #require(try read(["1": bytes]).records.first)
        #expect(record.params == ["bs": "4", "f": "true", "name": "x", "lr": "0.1"])
        #expect(record.series.mapValues { $0.map(\.value) } == ["hp/acc": [Double(Float(0.9))]])
        #expect(record.started.description == "2026-11-25T02:48:05.613035Z")
        #expect(record.end?.status == .finished)
        #expect(record.name == "a")
    }

    @Test func `several files of one folder are one run, in the order of their names`() throws {
        var (first, second) = (EventFile(), EventFile())
        first.scalar("loss", 0.5, step: 0)
        second.scalar("loss", 0.25, step: 1)
        let content = try read(["200": second.bytes, "100": first.bytes])
        #expect(content.records.count == 1)
        #expect(values(content, "loss") == [0.5, 0.25])
        #expect(content.records.first?.end?.seconds == 1)
        let alone = try read(["100": first.bytes])
        #expect(alone.records.first?.run == content.records.first?.run)
        #expect(try read(["100": first.bytes], label: "logs/b").records.first?.run != content.records.first?.run)
    }

    @Test(arguments: [
        ("float_val", Message().int(1, 1).float(5, 1.5)),
        ("packed float_val", Message().int(1, 1).data(5, Message.little(UInt64(Float(1.5).bitPattern), 4))),
        ("double_val", Message().int(1, 2).double(6, 1.5)),
        ("packed double_val", Message().int(1, 2).data(6, Message.little(1.5.bitPattern, 8))),
        ("float content", Message().int(1, 1).data(4, Message.little(UInt64(Float(1.5).bitPattern), 4))),
        ("double content", Message().int(1, 2).data(4, Message.little(1.5.bitPattern, 8))),
        ("bfloat16 content", Message().int(1, 14).data(4, [0xc0, 0x3f])),
    ])
    func `a tensor of one number is a scalar`(form: String, tensor: Message) throws {
        var file = EventFile()
        file.tensor("acc", tensor, step: 0)
        file.tensor("acc", tensor, step: 1, plugin: nil)  // only the first has to name its plugin
        file.tensor("other", tensor, step: 1, plugin: nil)
        let content = try read(["1": file.bytes])
        #expect(content.records.first?.series.mapValues { $0.map(\.value) } == ["acc": [1.5, 1.5]])
    }

    @Test func `tensors with more numbers, and other summaries, are passed over`() throws {
        var file = EventFile()
        file.scalar("loss", 1, step: 0)
        file.tensor("v", Message().int(1, 1).data(4, [UInt8](repeating: 0, count: 8)), step: 0)
        file.tensor("v", Message().int(1, 1).float(5, 1).float(5, 2), step: 0)
        file.tensor("text", Message().int(1, 7).text(8, "hello"), step: 0, plugin: "text")
        let content = try read(["1": file.bytes])
        #expect(content.records.first?.series.keys.sorted() == ["loss"])
        #expect(content.warnings.isEmpty)
    }

    @Test func `a writer that started again takes back what came after`() throws {
        var file = EventFile()
        for step in 0..<5 { file.scalar("loss", Float(step), step: Int64(step)) }
        file.add(file.event(time: 1_700_000_100, step: 2, Message().message(7, Message().int(1, 1))))
        file.scalar("loss", 20, step: 2, time: 1_700_000_101)
        #expect(try values(read(["1": file.bytes]), "loss") == [0, 1, 20])
    }

    @Test func `a file that ends anywhere gives the whole records before, and no warning`() throws {
        var file = EventFile()
        for step in 0..<4 { file.scalar("loss", Float(step), step: Int64(step)) }
        for end in 0...file.bytes.count {
            let content = try read(["1": Array(file.bytes[..<end])])
            let whole = max(0, file.ends.count { $0 <= end } - 1)
            #expect(values(content, "loss")?.count ?? 0 == whole, "cut at \(end)")
            #expect(content.warnings.isEmpty, "cut at \(end)")
        }
    }

    @Test func `a flipped bit anywhere ends the file before its record, with a warning or as a cut`() throws {
        var file = EventFile()
        for step in 0..<3 { file.scalar("loss", Float(step), step: Int64(step)) }
        for at in file.bytes.indices {
            var bytes = file.bytes
            bytes[at] ^= 1 << (at % 8)
            let content = try read(["1": bytes])
            let before = max(0, file.ends.count { $0 <= at } - 1)
            #expect(values(content, "loss")?.count ?? 0 == before, "flipped at \(at)")
            #expect(content.warnings.first?.contains("events.out.tfevents.1: the record at byte") == true)
        }
    }

    @Test(arguments: [UInt64.max, UInt64.max - 3, 1 << 63, 1 << 40, (16 << 20) + 1] as [UInt64])
    func `a length beyond all bounds takes no memory`(length: UInt64) throws {
        var file = EventFile()
        file.scalar("loss", 1, step: 0)
        file.addHead(length: length)
        let content = try read(["1": file.bytes + [UInt8](repeating: 7, count: 5000)])
        #expect(values(content, "loss") == [1])
    }

    @Test func `a record too large to hold is passed over, and what follows is read`() throws {
        var file = EventFile()
        file.add([UInt8](repeating: 1, count: (16 << 20) + 5))
        file.scalar("loss", 1, step: 0)
        let content = try read(["1": file.bytes])
        #expect(values(content, "loss") == [1])
        #expect(content.warnings.isEmpty)
    }

    @Test func `records with right checksums and any content never crash the reader`() throws {
        var generator = SeededGenerator(seed: 11)
        var file = EventFile()
        let session = try #require(Hex.decode(Self.session))
        var frames = RecordFrames()
        var seeds: [[UInt8]] = []
        session.withUnsafeBytes { frames.feed($0) { seeds.append(Array($0)) } }
        #expect(seeds.count == 5)
        for _ in 0..<4000 {
            var record = seeds.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...6, using: &generator) where !record.isEmpty {
                let at = Int.random(in: record.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: record[at] = UInt8.random(in: 0...255, using: &generator)
                case 1: record.remove(at: at)
                default: record.insert(UInt8.random(in: 0...255, using: &generator), at: at)
                }
            }
            file.add(record)
        }
        file.scalar("end", 1, step: 0)
        #expect(try values(read(["1": file.bytes]), "end") == [1])
    }

    @Test func `times and steps at the edges give a run whose lines can be read`() throws {
        var file = EventFile()
        for time in [Double.nan, .infinity, -.infinity, -1, 1e300, 0] {
            for step in [Int64.min, .max, 0] { file.scalar("x", .nan, step: step, time: time) }
        }
        let record = try #require(try read(["1": file.bytes]).records.first)
        let run = try #require(Run.fold(try record.lines(store: unkept), on: .someCommit).first)
        #expect(run.metrics["x"]?.count == 18)
        #expect(run.status == "finished")
    }

    /// `SummaryWriter.add_hparams({"lr": 0.1, "bs": 4, "name": "x", "f": True}, {"hp/acc": 0.9})` of tensorboardX 2.6.5.
    private static let session =
        "1800000000000000a37f4b2209f83b671993c1da411a0d627261696e2e4576656e743a3210456a066100000000000000008f9064"
        + "093555671993c1da412a560a540a145f68706172616d735f2f6578706572696d656e744a3c0a3a0a0768706172616d73122f122d"
        + "22060a026c72200322060a026273200322080a046e616d65200122050a016620022a0a0a08120668702f6163631dbf3fef740000"
        + "00000000005f6773d2093f91671993c1da412a690a670a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f"
        + "4a470a450a0768706172616d73123a1a380a0f0a02627312091100000000000010400a070a0166120220010a0b0a046e616d6512"
        + "031a01780a0f0a026c721209119a9999999999b93f106bc94d3c00000000000000c8b7a352090995671993c1da412a310a2f0a1a"
        + "5f68706172616d735f2f73657373696f6e5f656e645f696e666f4a110a0f0a0768706172616d73120422020801d770c22e1a0000"
        + "0000000000129bd82d094497671993c1da412a0f0a0d0a0668702f616363156666663fd0e5fdf5"
}
