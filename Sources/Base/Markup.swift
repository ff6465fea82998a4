/// Text in HTML, XML and SVG.
public enum Markup {
    /// The text with its marks escaped, for content and quoted attributes; characters that XML cannot hold at all become U+FFFD.
    public static func escape(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            case "\"": out += "&quot;"
            case "'": out += "&#39;"
            case _ where scalar.value < 32 || [0x7f, 0xfffe, 0xffff].contains(scalar.value): out += "\u{fffd}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// The text on one line, with what cannot be seen or would turn the text's direction made visible.
    public static func visible(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar.value {
                    case 0x09, 0x0a, 0x0d: " "
                    case 0..<0x20, 0x7f..<0xa0, 0x202a...0x202e, 0x2066...0x2069, 0x200b...0x200f: "\u{fffd}"
                    default: scalar
                    }
                }))
    }
}
