internal import Base
internal import Synchronization

/// A bar on standard error for what takes longer than a second; nothing at all where that is no terminal.
final class ProgressBar: Sendable {
    private struct State {
        var done: Int64 = 0
        var lastDrawn: ContinuousClock.Instant
        var isDrawn = false
    }

    private let label: String
    private let isShown = isatty(2) == 1 && environmentValue("TERM") != "dumb"
    private let state = Mutex(State(lastDrawn: .now + .milliseconds(900)))

    init(_ label: String) { self.label = label }

    /// So many bytes more, of so many in all.
    func advance(by bytes: Int64, of total: Int64) {
        guard isShown, total > 0 else { return }
        state.withLock { state in
            state.done += bytes
            draw(
                Double(state.done) / Double(total), "\(ByteCount.format(state.done)) of \(ByteCount.format(total))",
                &state)
        }
    }

    /// So many bytes more, of nobody knows how many.
    func advance(by bytes: Int64) {
        guard isShown else { return }
        state.withLock { state in
            state.done += bytes
            draw(nil, ByteCount.format(state.done), &state)
        }
    }

    /// The part that is done, from 0 to 1.
    func show(part: Double) {
        guard isShown else { return }
        state.withLock { draw(part, "\(Int(part * 100)) %", &$0) }
    }

    private func draw(_ part: Double?, _ text: String, _ state: inout State) {
        let now = ContinuousClock.now
        guard now - state.lastDrawn > .milliseconds(100) || (state.isDrawn && part ?? 0 >= 1) else { return }
        state.lastDrawn = now
        state.isDrawn = true
        guard let part else { return Terminal.unfinished("\r\(label) \(text)  ") }
        let filled = Int(min(30, max(0, part * 30)))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
        Terminal.unfinished("\r\(label) [\(bar)] \(text)  ")
    }

    /// Takes the bar away.
    func finish() {
        state.withLock { state in
            if state.isDrawn { Terminal.unfinished("\r\u{1b}[K") }
            state.isDrawn = false
        }
    }
}
