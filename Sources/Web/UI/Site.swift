internal import Base

/// A place of the site.
enum SitePlace: Hashable {
    case runs, data, models, deliveries
    case run(String)
    case model(String)
    case delivery(String)
    /// A data file or dataset, by its digest.
    case content(String)
}

/// How the pages of a site name each other and what they load: on a server, or as files in a folder.
struct Site: Sendable {
    /// What the repository is called.
    let title: String
    /// Whether the pages are files, so that nothing can be asked and nothing changes.
    let isStatic: Bool
    /// What leads from the page that is made to the site's top: empty on a server.
    var top = ""
    /// Told of each place that a page leads to.
    var onLink: (@Sendable (SitePlace) -> Void)?

    /// The address of a page.
    func address(_ place: SitePlace) -> String {
        onLink?(place)
        if !isStatic { return Self.path(place) }
        return top + Self.file(place)
    }

    private static func path(_ place: SitePlace) -> String {
        switch place {
        case .runs: "/"
        case .data: "/data"
        case .models: "/models"
        case .deliveries: "/deliveries"
        case .run(let id): "/runs/" + PercentCode.encode(id)
        case .model(let name): "/models/" + PercentCode.encode(name)
        case .delivery(let id): "/deliveries/" + PercentCode.encode(id)
        case .content(let digest): "/data/" + PercentCode.encode(digest)
        }
    }

    /// The file of a page, from the site's top; names that are no plain words are encoded.
    static func file(_ place: SitePlace) -> String {
        switch place {
        case .runs: "index.html"
        case .data: "data.html"
        case .models: "models.html"
        case .deliveries: "deliveries.html"
        case .run(let id): "runs/\(id).html"
        case .model(let name): "models/\(Self.word(name)).html"
        case .delivery(let id): "deliveries/\(id).html"
        case .content(let digest): "data/\(digest).html"
        }
    }

    /// A name as one part of a path, another for each name: percent signs would be decoded by servers of files.
    private static func word(_ name: String) -> String {
        String(PercentCode.encode(name).replacing("~", with: "%7E").map { $0 == "%" ? "~" : $0 })
    }

    /// The address of a file of our own: `app.js`, `style.css`, `echarts.min.js`.
    func asset(_ name: String) -> String { (isStatic ? top : "/") + "assets/" + name }

    /// The address of a run's curves.
    func curves(of run: String) -> String { isStatic ? "\(top)runs/\(run).json" : "/runs/\(run)/curves.json" }

    /// Where the table of experiments finds all its rows; nil: it asks the server for those in sight.
    var rows: String? { isStatic ? top + Self.rowsFile : nil }

    static let rowsFile = "runs.json"

    /// The address of a file of a run, as bytes that may do nothing.
    func artifact(_ path: String, of run: String) -> String {
        "/runs/\(run)/file?path=" + PercentCode.encode(path)
    }
}
