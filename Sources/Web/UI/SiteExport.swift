internal import Base
public import GitKit
public import Runs
internal import Synchronization
public import SystemPackage

/// The pages of a repository as files, for hosts that serve files and nothing else.
public struct SiteExport: Sendable {
    /// The most runs in the table; older ones have a page where another page leads to them.
    private static let longest = 2000

    private let views: Views
    private let assets: Assets
    /// The places that pages lead to.
    private let named: Named

    private final class Named: Sendable {
        let places = Mutex<Set<SitePlace>>([])
    }

    /// `store` is asked once for the recorded runs; `share` is the folder with `templates`.
    public init(
        _ repository: Repository, title: String, share: FilePath, store: @escaping @Sendable () throws -> RunStore
    ) {
        let named = Named()
        var site = Site(title: title, isStatic: true)
        site.onLink = { place in named.places.withLock { _ = $0.insert(place) } }
        self.named = named
        views = Views(ledger: Ledger(repository, open: store), site: site)
        assets = Assets(share)
    }

    /// Writes all pages that can be reached from the first and returns how many there are.
    ///
    /// The folder is made; one that holds anything but an earlier export is an error.
    public func write(to folder: FilePath) async throws -> Int {
        let present = try Files.list(folder)
        if !present.isEmpty, !Files.exists(folder.appending("assets").appending("app.js")) {
            throw ExportFailure(folder: folder)
        }
        for name in Assets.names {
            guard let file = try assets.file(name) else { throw MissingAsset(name: name) }
            try put(file.bytes, folder, "assets/" + name)
        }
        let request = RunsRequest(latest: Self.longest)
        try put(request.whole(views.ledger.store(), views.site).encoded(), folder, Site.rowsFile)
        var written: Set<SitePlace> = []
        var waiting: Set<SitePlace> = [.runs, .data, .models, .deliveries]
        while let place = waiting.popFirst() {
            written.insert(place)
            try await write(place, to: folder)
            waiting.formUnion(named.places.withLock { $0 }.subtracting(written))
        }
        return written.count
    }

    private func write(_ place: SitePlace, to folder: FilePath) async throws {
        var views = views
        let file = Site.file(place)
        views.site.top = file.contains("/") ? "../" : ""
        let page: SitePage
        switch place {
        case .runs: page = try views.runs()
        case .data: page = try await views.data()
        case .models: page = try views.models()
        case .deliveries: page = try views.deliveries()
        case .run(let id):
            page = try await views.run(id)
            try put(try await views.curves(id).encoded(), folder, "runs/\(id).json")
        case .model(let name): page = try views.model(name)
        case .delivery(let id): page = try await views.delivery(id)
        case .content(let digest): page = try views.content(digest)
        }
        try put(page.html(in: views.site).document, folder, file)
    }

    private func put(_ bytes: [UInt8], _ folder: FilePath, _ file: String) throws {
        try Files.replace(folder.appending(FilePath(file).components), with: bytes)
    }
}

/// A folder that holds something else already.
struct ExportFailure: Failure {
    let folder: FilePath
    var kind: FailureKind { .user }
    var description: String { "\(folder) holds files that are no export of ours" }
    var hints: [String] { ["name a folder that is new or empty"] }
}

/// A file of our own that was not installed.
struct MissingAsset: Failure {
    let name: String
    var kind: FailureKind { .user }
    var description: String { "\(name), which the pages load, was not installed with git-ml" }
    var hints: [String] { ["`make install` brings it; in a checkout, `make .build/ui/echarts.min.js`"] }
}
