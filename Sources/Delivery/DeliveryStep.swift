/// The named steps of a delivery.
public enum DeliveryStep {
    /// In the order in which they are made; not every target has all of them.
    public static let all = [
        "claim", "verify", "fetch", "gates", "package", "push", "render", "deploy", "wait", "probe", "promote", "watch",
        "roll-back",
    ]

    /// How long a step may take; what needs longer is broken off, and fails.
    static func limit(_ name: String) -> Duration {
        switch name {
        case "verify", "render", "roll-back": .seconds(600)
        case "probe", "promote": .seconds(900)
        // Gates' commands have limits of their own, and what is watched ends by itself.
        case "gates", "watch": .seconds(7 * 86_400)
        default: .seconds(2 * 3600)
        }
    }
}
