internal import Base

extension Run {
    /// What no query asks for, as one text; nil when there is none of it.
    var detail: String? {
        if command.isEmpty, leftOut.isEmpty, series.isEmpty { return nil }
        let json: JSON = [
            "cmd": .array(command.map { .string($0) }), "left_out": .array(leftOut.map { .string($0) }),
            "series": .array(series.map(\.json)),
        ]
        return json.description
    }

    mutating func setDetail(_ text: String) {
        guard let json = try? JSON.parse(text) else { return }
        command = json["cmd"]?.array?.compactMap(\.string) ?? []
        leftOut = json["left_out"]?.array?.compactMap(\.string) ?? []
        series = json["series"]?.array?.compactMap { SeriesPlace($0) } ?? []
    }
}

extension Run.SeriesPlace {
    /// The members of an event line.
    fileprivate var json: JSON {
        switch self {
        case .content(let digest, let size): ["oid": .string(digest.description), "size": .int(size)]
        case .inline(let curves): ["inline": .sorted(curves.mapValues(Self.json))]
        }
    }

    private static func json(_ points: [MetricPoint]) -> JSON {
        [
            "steps": .array(points.map { .int($0.step) }), "values": .array(points.map { .number($0.value) }),
            "times": .array(points.map { .int($0.time.microseconds) }),
        ]
    }
}
