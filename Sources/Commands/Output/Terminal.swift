internal import Base
internal import SystemPackage

/// What is printed, and whether it may be coloured.
enum Terminal {
    /// Colour only on a terminal, and never with `NO_COLOR`.
    private static func isColoured(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && environmentValue("NO_COLOR") == nil && environmentValue("TERM") != "dumb"
    }
    static let colourOutput = isColoured(1)
    private static let colourErrors = isColoured(2)

    static func bold(_ text: String) -> String { colourErrors ? "\u{1b}[1m\(text)\u{1b}[0m" : text }
    static func red(_ text: String) -> String { colourErrors ? "\u{1b}[31m\(text)\u{1b}[0m" : text }
    static func heading(_ text: String) -> String { colourOutput ? "\u{1b}[1m\(text)\u{1b}[0m" : text }
    static func green(_ text: String) -> String { colourOutput ? "\u{1b}[32m\(text)\u{1b}[0m" : text }

    /// One line on standard error.
    static func error(_ line: String) { _ = try? FileDescriptor.standardError.writeAll((line + "\n").utf8) }

    /// A part of a line on standard error.
    static func unfinished(_ text: String) { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }

    /// One line on standard output at once, for commands that go on for a while; `print` waits for a full buffer.
    static func line(_ line: String) { _ = try? FileDescriptor.standardOutput.writeAll((safe(line) + "\n").utf8) }

    /// Text from a repository, with what would steer a terminal made visible.
    static func safe(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 32 || $0.value == 127 ? "\u{fffd}" : $0 }))
    }
}
