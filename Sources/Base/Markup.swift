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
}
