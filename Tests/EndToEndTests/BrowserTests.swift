import Base
import SystemPackage
import TestSupport
import Testing

/// `git ml ui` in a headless Chromium; what is looked for stands in `Tests/Browser/pages.py`.
struct BrowserTests {
    @Test func `each page shows real data, follows a run, and runs nothing out of the repository`() async throws {
        let project = try Project()
        let script = Places.package.appending("Tests").appending("Browser").appending("pages.py")
        let seen = try await project.sandbox.run("python3", [script.string, project.path.string])
        #expect(seen.status == 0, "\(seen.text)\(seen.errors)")
        #expect(
            seen.text.split(separator: "\n") == [
                "ok gallery", "ok refuses", "ok experiments", "ok filter", "ok run", "ok compare", "ok data",
                "ok data file", "ok models", "ok model", "ok delivery", "ok live", "ok export", "ok exported run",
                "ok many",
            ])
    }
}
