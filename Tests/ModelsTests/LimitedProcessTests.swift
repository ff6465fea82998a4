import Base
import SystemPackage
import TestSupport
import Testing

@testable import Models

@Suite(.serialized)
struct LimitedProcessTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func run(
        _ script: String, time: Duration = .seconds(120), memory: Int64? = nil, program: String = "/bin/sh",
        option: String = "-c"
    ) async throws -> LimitedProcess.Outcome {
        try await LimitedProcess(
            program: FilePath(program), arguments: [option, script], environment: ["PATH": "/usr/bin:/bin"],
            directory: folder.path, time: time, memory: memory
        ).run()
    }

    private func text(_ outcome: LimitedProcess.Outcome) -> String {
        String(decoding: outcome.log.bytes, as: UTF8.self)
    }

    @Test func `output of both streams, the exit status and the folder are the program's`() async throws {
        let outcome = try await run("echo out; echo err >&2; pwd; exit 3")
        #expect(outcome.status == 3)
        #expect(outcome.stop == nil)
        #expect(text(outcome) == "out\nerr\n\(folder.path)\n")
        #expect(outcome.log.lastLines(2) == ["err", "\(folder.path)"])
    }

    @Test func `a program that a signal ends says which`() async throws {
        let outcome = try await run("kill -SEGV $$")
        #expect(outcome.status == 128 + 11)
    }

    @Test func `only the variables that it was given are there`() async throws {
        let outcome = try await run("env", program: "/bin/sh")
        let names = text(outcome).split(separator: "\n").map { $0.prefix { $0 != "=" } }.sorted()
        #expect(Set(names).subtracting(["PWD", "OLDPWD", "SHLVL", "_"]) == ["GIT_ML_GATE", "PATH"])
    }

    @Test func `at its limit of time it is ended, with all that it has started, daemons too`() async throws {
        // A child in the background, and one that has left the session; each says which process it is.
        let outcome = try await run(
            """
            sleep 1000 & echo $! > child
            setsid sh -c 'echo $$ > daemon; exec sleep 1000' &
            while [ ! -s daemon ]; do sleep 0.05; done
            echo ready
            sleep 1000
            """, time: .seconds(3))
        #expect(outcome.stop == .time)
        #expect(text(outcome) == "ready\n")
        for name in ["child", "daemon"] {
            let id = try #require(Int32(try Files.readText(folder.path.appending(name))?.trimmingTrailingSpace ?? ""))
            #expect(!Self.isAlive(id), "\(name)")
        }
    }

    @Test func `what it leaves in the background ends with it`() async throws {
        let outcome = try await run(
            "setsid sh -c 'echo $$ > daemon; exec sleep 1000' & while [ ! -s daemon ]; do sleep 0.05; done")
        #expect(outcome.status == 0)
        let id = try #require(Int32(try Files.readText(folder.path.appending("daemon"))?.trimmingTrailingSpace ?? ""))
        #expect(!Self.isAlive(id))
    }

    /// A zombie is dead already.
    private static func isAlive(_ id: Int32) -> Bool {
        guard let text = try? Files.readText(FilePath("/proc/\(id)/stat")), let close = text.lastIndex(of: ")") else {
            return false
        }
        return !text[close...].hasPrefix(") Z")
    }

    @Test func `more memory than allowed ends it, in one process or in several`() async throws {
        let python = try #require(ChildProcess.find("python3"))
        let one = try await run(
            "x = bytearray(300 << 20)", memory: 100_000_000, program: python.string, option: "-c")
        #expect(one.status != 0)
        #expect(text(one).contains("MemoryError") || one.stop != nil)
        let several = try await run(
            """
            import os, time
            for _ in range(4):
                if os.fork() == 0: break
            x = bytearray(os.urandom(1 << 20)) * 60
            time.sleep(1000)
            """, memory: 200_000_000, program: python.string, option: "-c")
        guard case .memory(let held) = several.stop else {
            Issue.record("it was not ended: \(several.status) \(text(several))")
            return
        }
        #expect(held > 200_000_000)
    }

    @Test func `of a gigabyte of output the beginning and the end are kept`() async throws {
        let outcome = try await run("echo first; head -c 1000000000 /dev/zero; echo; echo last")
        #expect(outcome.status == 0)
        #expect(outcome.log.total == 1_000_000_012)
        let bytes = outcome.log.bytes
        #expect(bytes.count < 600_000)
        #expect(bytes.starts(with: "first\n".utf8))
        #expect(bytes.suffix(6).elementsEqual("\nlast\n".utf8))
        #expect(String(decoding: bytes, as: UTF8.self).contains("left out"))
    }

    @Test func `a program that does not exist is an error`() async throws {
        await #expect(throws: FileFailure.self) { try await run("", program: "/nonexistent/program") }
    }
}

struct BoundedLogTests {
    @Test(arguments: [0, 1, 1000, BoundedLog.part, BoundedLog.part * 2 - 1, BoundedLog.part * 2])
    func `what fits is kept whole`(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 3) }
        var log = BoundedLog()
        for start in stride(from: 0, to: count, by: 77_777) {
            bytes[start..<min(count, start + 77_777)].withUnsafeBytes { log.add($0) }
        }
        #expect(log.bytes == bytes)
    }

    @Test func `the end is the last bytes, in pieces of any size`() {
        var random = SeededGenerator(seed: 9)
        var log = BoundedLog()
        var all: [UInt8] = []
        for _ in 0..<60 {
            let piece = (0..<Int.random(in: 1...(BoundedLog.part / 10), using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            all += piece
            piece.withUnsafeBytes { log.add($0) }
        }
        let bytes = log.bytes
        #expect(bytes.prefix(BoundedLog.part) == all.prefix(BoundedLog.part))
        #expect(bytes.suffix(BoundedLog.part) == all.suffix(BoundedLog.part))
        #expect(log.total == all.count)
    }
}
