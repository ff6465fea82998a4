internal import Base

/// A whole page: the frame that all share, around what is special to one.
struct SitePage {
    let title: String
    /// The part of the site that it belongs to; nil for what is no page of the site.
    let part: SitePlace?
    /// What the page's script shall do: `runs`, `run`, `compare`; nil: only what all pages do.
    var script: String?
    let content: HTML

    init(_ title: String, _ part: SitePlace?, script: String? = nil, @HTMLBuilder _ content: () -> HTML) {
        self.title = title
        self.part = part
        self.script = script
        self.content = content()
    }

    private static let parts: [(place: SitePlace, name: String)] = [
        (.runs, "Experiments"), (.data, "Data"), (.models, "Models"), (.deliveries, "Delivery"),
    ]

    /// The page in a site.
    func html(in site: Site) -> HTML {
        HTML("html", ["lang": "en", "data-page": script, "data-live": site.isStatic || part == nil ? nil : "/events"]) {
            HTML("head") {
                HTML.void("meta", ["charset": "utf-8"])
                HTML.void("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
                HTML.void("meta", ["name": "color-scheme", "content": "light dark"])
                if site.isStatic {
                    HTML.void("meta", ["http-equiv": "Content-Security-Policy", "content": ContentPolicy.file])
                }
                HTML("title") { "\(title) · \(site.title)" }
                HTML.void("link", ["rel": "icon", "type": "image/svg+xml", "href": site.asset("icon.svg")])
                HTML.void("link", ["rel": "stylesheet", "href": site.asset("style.css")])
                HTML("script", ["src": site.asset("theme.js")]) {}
                if script != nil { HTML("script", ["src": site.asset("echarts.min.js"), "defer": ""]) {} }
                HTML("script", ["src": site.asset("app.js"), "defer": ""]) {}
            }
            HTML("body") {
                HTML("a", ["class": "skip", "href": "#main"]) { "Skip to the content" }
                HTML("header", ["class": "bar"]) {
                    HTML("a", ["class": "brand", "href": site.address(.runs)]) {
                        HTML.void("img", ["src": site.asset("icon.svg"), "alt": "", "width": "22", "height": "22"])
                        HTML("span") { site.title }
                    }
                    HTML("nav", ["aria-label": "Parts"]) {
                        for (place, name) in Self.parts {
                            HTML("a", ["href": site.address(place), "aria-current": place == part ? "page" : nil]) {
                                name
                            }
                        }
                    }
                    if !site.isStatic {
                        HTML("span", ["class": "live", "id": "live", "role": "status"]) { "" }
                    }
                    HTML("button", ["class": "plain", "id": "theme", "type": "button", "aria-label": "Dark or light"]) {
                        "◐"
                    }
                }
                HTML("main", ["id": "main", "tabindex": "-1"]) { content }
            }
        }
    }
}

/// What the browser may load and run.
enum ContentPolicy {
    private static let own =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        + "frame-src 'self'; base-uri 'none'; form-action 'self'"
    /// For pages of the server: scripts and styles of our own files only, and no frame of another site around it.
    static let page = own + "; frame-ancestors 'none'"
    /// For pages that are files, where a header cannot say it.
    static let file = own
    /// For what a run has made: it may be looked at inside our own frame, and do nothing.
    static let artifact =
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; media-src data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
}

/// Pieces that several pages have.
enum Piece {
    /// A page's title, with how many things it lists.
    static func head(_ title: String, _ count: Int) -> HTML {
        HTML("div", ["class": "head"]) {
            HTML("h1") { title }
            HTML("span", ["class": "count"]) { "\(count)" }
        }
    }

    /// A table; the columns that `numbers` names stand to the right.
    static func table(
        _ titles: [String], numbers: Set<Int> = [], caption: String? = nil, _ rows: [[HTML]]
    ) -> HTML {
        HTML("div", ["class": "scroll", "tabindex": "0", "role": "region", "aria-label": caption ?? titles.first]) {
            HTML("table") {
                if titles.contains(where: { !$0.isEmpty }) {
                    HTML("thead") {
                        HTML("tr") {
                            for (i, title) in titles.enumerated() {
                                HTML("th", ["scope": "col", "class": numbers.contains(i) ? "number" : nil]) { title }
                            }
                        }
                    }
                }
                HTML("tbody") {
                    for row in rows {
                        HTML("tr") {
                            for (i, cell) in row.enumerated() {
                                HTML("td", ["class": numbers.contains(i) ? "number" : nil]) { cell }
                            }
                        }
                    }
                }
            }
        }
    }

    /// A card with a heading.
    static func card(_ title: String, id: String? = nil, count: Int? = nil, @HTMLBuilder _ content: () -> HTML) -> HTML
    {
        HTML("section", ["class": "card", "id": id]) {
            HTML("h2") {
                title
                if let count { HTML("span", ["class": "count"]) { String(count) } }
            }
            content()
        }
    }

    /// Names and values, one below the other.
    static func facts(_ facts: [(name: String, value: HTML)]) -> HTML {
        HTML("dl", ["class": "facts"]) {
            for (name, value) in facts where value != .nothing {
                HTML("div") {
                    HTML("dt") { name }
                    HTML("dd") { value }
                }
            }
        }
    }

    /// How something went, in a coloured word.
    static func status(_ status: String) -> HTML {
        let tone =
            switch status {
            case "finished", "succeeded": "good"
            case "failed", "killed", "refused": "bad"
            case "running": "busy"
            default: "quiet"
            }
        return HTML("span", ["class": "badge \(tone)"]) { status }
    }

    static func link(_ text: String, to address: String, class name: String? = nil) -> HTML {
        HTML("a", ["href": address, "class": name]) { text }
    }

    static func code(_ text: String) -> HTML { HTML("code") { text } }

    static func time(_ time: Timestamp) -> HTML {
        HTML("time", ["datetime": time.wholeSeconds, "title": time.wholeSeconds]) { time.minutes }
    }

    /// What is said where there is nothing yet.
    static func empty(_ title: String, _ words: String, command: String? = nil) -> HTML {
        HTML("div", ["class": "empty"]) {
            HTML("strong") { title }
            HTML("p") { words }
            if let command { HTML("pre") { HTML("code") { command } } }
        }
    }
}
