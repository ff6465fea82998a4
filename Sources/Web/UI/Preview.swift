/// How a file of a run is shown: inside a frame or by the page's script as text, and so that nothing in it can run.
struct Preview {
    /// Larger files are only handed out.
    private static let largest: Int64 = 20 << 20

    /// The media type.
    let type: String
    /// What the page's script makes of it: `image`, `page`, `csv`, `tsv`, `jsonl` or `text`.
    let kind: String

    init?(path: String, size: Int64) {
        guard size <= Self.largest, let dot = path.lastIndex(of: ".") else { return nil }
        let ending = path[path.index(after: dot)...].lowercased()
        switch ending {
        case "png", "gif", "webp", "jpeg": (type, kind) = ("image/" + ending, "image")
        case "jpg": (type, kind) = ("image/jpeg", "image")
        case "svg": (type, kind) = ("image/svg+xml", "image")
        case "html", "htm": (type, kind) = ("text/html; charset=utf-8", "page")
        case "csv", "tsv", "jsonl": (type, kind) = (Self.text, ending)
        case "txt", "log", "md", "json", "yaml", "yml", "toml", "py", "ini", "cfg": (type, kind) = (Self.text, "text")
        default: return nil
        }
    }

    private static let text = "text/plain; charset=utf-8"
}
