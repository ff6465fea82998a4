public import Base

/// A stage that people hold, or have let go again.
///
/// ```json
/// {"t":"…","ev":"pause","model":null,"stage":"prod","by":"lead@example.com","message":"until Monday"}
/// ```
public struct StagePause: Sendable, Equatable {
    public struct Place: Hashable, Sendable {
        /// nil: every model.
        public let model: String?
        public let stage: String

        public init(model: String?, stage: String) {
            self.model = model
            self.stage = stage
        }
    }

    public let time: Timestamp
    public let place: Place
    public let isPaused: Bool
    public let by: String
    public let message: String?

    public init(_ place: Place, isPaused: Bool, by: String, message: String?) {
        time = .now()
        (self.place, self.isPaused, self.by, self.message) = (place, isPaused, by, message)
    }

    /// Reads an event line; nil when it is of another kind.
    init?(_ line: String) {
        guard line.contains(#""ev":"pause""#) || line.contains(#""ev":"resume""#), let json = try? JSON.parse(line),
            let kind = json["ev"]?.string, let time = json["t"]?.string.flatMap({ Timestamp($0) }),
            let stage = json["stage"]?.string
        else { return nil }
        self.time = time
        place = Place(model: json["model"]?.string, stage: stage)
        isPaused = kind == "pause"
        by = json["by"]?.string ?? ""
        message = json["message"]?.string
    }

    var line: String {
        let json: JSON = [
            "t": .string(time.description), "ev": .string(isPaused ? "pause" : "resume"),
            "model": .optional(place.model), "stage": .string(place.stage), "by": .string(by),
            "message": .optional(message),
        ]
        return json.description
    }

    /// Whether it holds a model's stage.
    public func holds(_ model: String, _ stage: String) -> Bool {
        place.stage == stage && (place.model == nil || place.model == model)
    }
}
