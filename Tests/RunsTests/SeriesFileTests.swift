import Base
import TestSupport
import Testing

@testable import Runs

struct SeriesFileTests {
    private static func random(_ generator: inout SeededGenerator) -> [String: [MetricPoint]] {
        var series: [String: [MetricPoint]] = [:]
        for key in 0..<Int.random(in: 0...4, using: &generator) {
            series["metric \(key) é"] = (0..<Int.random(in: 0...50, using: &generator)).map { _ in
                let special: [Double] = [.nan, .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude]
                let value =
                    Bool.random(using: &generator)
                    ? special.randomElement(using: &generator) ?? 0 : Double.random(in: -1e6...1e6, using: &generator)
                return MetricPoint(
                    step: Int64.random(in: .min ... .max, using: &generator),
                    time: Timestamp(
                        microseconds: Int64.random(in: -1_000_000...4_000_000_000_000_000, using: &generator)),
                    value: value)
            }
        }
        return series
    }

    @Test func `what is written is read back, bit for bit`() throws {
        var generator = SeededGenerator(seed: 11)
        for _ in 0..<200 {
            let series = Self.random(&generator)
            let back = try SeriesFile.decode(SeriesFile.encode(series))
            #expect(back.keys.sorted() == series.keys.sorted())
            for (key, points) in series {
                #expect(back[key]?.map(\.step) == points.map(\.step))
                #expect(back[key]?.map(\.time) == points.map(\.time))
                #expect(back[key]?.map(\.value.bitPattern) == points.map(\.value.bitPattern))
            }
        }
    }

    @Test func `a thousand steps of a slow curve take few bytes each`() {
        let points = (0..<1000).map {
            MetricPoint(
                step: Int64($0), time: Timestamp(microseconds: 1_700_000_000_000_000 + Int64($0) * 1000), value: 0.5)
        }
        #expect(SeriesFile.encode(["loss": points]).count < 5000)
    }

    @Test func `bytes that end anywhere or differ anywhere are read or refused, never a crash`() {
        var generator = SeededGenerator(seed: 5)
        let whole = SeriesFile.encode(["a": [MetricPoint(step: 1, time: Timestamp(seconds: 1), value: 2)], "b": []])
        for count in 0..<whole.count { _ = try? SeriesFile.decode(Array(whole[..<count])) }
        for _ in 0..<2000 {
            var bytes = whole
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            _ = try? SeriesFile.decode(bytes)
        }
        #expect(throws: SeriesFailure.self) { try SeriesFile.decode(Array("something else".utf8)) }
    }

    @Test func `a summary has the value at the highest step, and NaN is no extreme`() {
        func point(_ step: Int64, _ value: Double) -> MetricPoint {
            MetricPoint(step: step, time: Timestamp(seconds: step), value: value)
        }
        let summary = MetricSummary([point(3, 0.5), point(1, .nan), point(9, 0.7), point(4, 0.9)])
        #expect(
            summary
                == MetricSummary(
                    last: 0.7, step: 9, at: Timestamp(seconds: 9), min: 0.5, max: 0.9, firstStep: 1, count: 4))
        #expect(MetricSummary([]) == nil)
        #expect(MetricSummary([point(0, .nan)])?.min.isNaN == true)
    }
}
