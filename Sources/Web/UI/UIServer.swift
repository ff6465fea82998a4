internal import Base
public import GitKit
internal import Hummingbird
public import Runs
public import SystemPackage

/// Shows a repository to a browser, until it is told to stop.
public struct UIServer: Sendable {
    private let settings: WebServer.Settings
    private let responder: UIResponder

    /// `store` is asked for the recorded runs when the first page needs them; `share` is the folder with `templates`.
    public init(
        _ repository: Repository, _ settings: WebServer.Settings, title: String, share: FilePath,
        store: @escaping @Sendable () throws -> RunStore
    ) {
        self.settings = settings
        responder = UIResponder(
            views: Views(
                ledger: Ledger(repository, open: store), site: Site(title: title, isStatic: false)),
            assets: Assets(share), access: settings.access)
    }

    /// Serves; `started` is told the port once requests are answered.
    public func run(started: @escaping @Sendable (Int) -> Void) async throws {
        try await WebServer.serve(responder, settings, started: started)
    }
}

/// The files of our own that pages load.
struct Assets: Sendable {
    private static let types = [
        "app.js": "text/javascript", "theme.js": "text/javascript", "style.css": "text/css",
        "icon.svg": "image/svg+xml",
        "echarts.min.js": "text/javascript",
    ]
    static var names: [String] { types.keys.sorted() }

    private let share: FilePath

    /// `share` is the folder with `templates`.
    init(_ share: FilePath) { self.share = share }

    /// The bytes and the type of a file; nil for a name that no page loads, and for what was not installed.
    func file(_ name: String) throws -> (bytes: [UInt8], type: String)? {
        guard let type = Self.types[name] else { return nil }
        let own = share.appending("templates").appending("ui").appending(name)
        // Not yet installed, the chart library lies where `make` has fetched it to.
        let built = share.appending(".build").appending("ui").appending(name)
        guard let bytes = try Files.read(own) ?? Files.read(built) else { return nil }
        return (bytes, type + "; charset=utf-8")
    }
}
