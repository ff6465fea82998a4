import Base
import GitKit
import Storage
import SystemPackage
import TestSupport
import Testing

@testable import Pointers

/// Files of datasets as `data.link` says.
struct DatasetLinkTests {
    private static let links: [DataSettings.Link] = [.hardlink, .symlink]

    /// A dataset of plain files, two of them equal, a large one, a program, an empty one and a link of the user's, added.
    private func source() async throws -> DatasetPlace {
        let place = try await DatasetPlace()
        try place.write("a", "text")
        try place.write("sub/b", "more text")
        try place.write("sub/twin", "text")
        try place.write("empty", "")
        var random = SeededGenerator(seed: 1)
        try place.write("large", random.bytes(3_000_000))
        try await place.sandbox.sh(
            "cd '\(place.top)'; ln -s sub/b own; printf '#!/bin/sh\\n' > program; chmod 755 program")
        try await place.add()
        return place
    }

    /// The dataset in another repository, checked out there.
    private func clone(_ place: DatasetPlace, _ link: DataSettings.Link) async throws -> DatasetPlace {
        let other = try await DatasetPlace(place.sandbox, folder: "other")
        try await place.hand(to: other)
        try await checkOut(other, link)
        return other
    }

    @discardableResult
    private func checkOut(_ place: DatasetPlace, _ link: DataSettings.Link) async throws -> DatasetCheckedOut {
        try await place.dataset.checkOut(link: link, fetch: DatasetPlace.nothing)
    }

    /// Each entry as `find` sees it, with the cache by its name and the rest of what it leads to by that of its content.
    private func forms(_ place: DatasetPlace) async throws -> [String: String] {
        let text = try await place.sandbox.sh(
            "cd '\(place.top)'; find . ! -type d -printf '%P %y %m %n %l\\n' | sed 's| /.*/unpacked/.*| ours|'")
        var forms: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let space = line.firstIndex(of: " ") else { continue }
            forms[String(line[..<space])] = String(line[space...].dropFirst()).trimmingTrailingSpace
        }
        return forms
    }

    private func expected(_ link: DataSettings.Link) -> [String: String] {
        let (plain, twin) =
            switch link {
            case .reflink, .copy: ("f 644 1", "f 644 1")
            case .hardlink: ("f 444 2", "f 444 3")
            case .symlink: ("l 777 1 ours", "l 777 1 ours")
            }
        return [
            "a": twin, "sub/twin": twin, "sub/b": plain, "large": plain, "empty": "f 644 1", "program": "f 755 1",
            "own": "l 777 1 sub/b",
        ]
    }

    private func isSame(_ place: DatasetPlace, _ other: DatasetPlace) async throws -> Bool {
        try await place.sandbox.sh("diff -r '\(place.top)' '\(other.top)'") == ""
    }

    @Test(arguments: DataSettings.Link.allCases)
    func `files are what data.link says, and to every command the files that they stand for`(link: DataSettings.Link)
        async throws
    {
        let place = try await source()
        let other = try await clone(place, link)
        #expect(try await forms(other) == expected(link))
        #expect(try await isSame(place, other))
        let pointer = try Files.read(other.dataset.pointerFile)
        for _ in 0..<2 {
            #expect(try other.dataset.status().isEmpty)
            let added = try await other.add()
            #expect(!added.isChanged && added.newBytes == 0)
            #expect(try Files.read(other.dataset.pointerFile) == pointer)
            let again = try await checkOut(other, link)
            #expect(again.written == 0 && again.kept == [])
            // Once more by reading, without what the stamps say.
            Files.remove(other.dataset.cacheFile)
        }
        // Stored from the links alone it is the same dataset, too.
        Files.remove(other.dataset.cacheFile)
        Files.remove(other.dataset.pointerFile)
        try await other.add()
        #expect(try other.dataset.pointer()?.size == place.dataset.pointer()?.size)
        #expect(
            try DatasetChanges.between(
                place.dataset.pointer(), other.dataset.pointer(), name: "data", store: other.dataset.store
            ).isEmpty)
    }

    @Test(arguments: links)
    func `a file put in the place of a link is a change, and the shared content stays`(link: DataSettings.Link)
        async throws
    {
        let other = try await clone(source(), link)
        let first = try Files.read(other.dataset.pointerFile) ?? []
        try other.write("a", "mine")
        #expect(try other.dataset.status().changed == ["a"])
        #expect(try await other.add().isChanged)
        #expect(try Files.readText(other.top.appending("sub/twin")) == "text")
        try await checkOut(other, link)
        #expect(try Files.readText(other.top.appending("a")) == "mine")
        let second = try await forms(other)["a"]
        #expect(second == (link == .hardlink ? "f 444 2" : "l 777 1 ours"))
        try Files.replace(other.dataset.pointerFile, with: first)
        #expect(try await checkOut(other, link).kept == [])
        #expect(try Files.readText(other.top.appending("a")) == "text")
        #expect(try other.dataset.status().isEmpty)
    }

    @Test func `a checkout under another setting makes the files anew in its form`() async throws {
        let place = try await source()
        let other = try await clone(place, .copy)
        for link in [DataSettings.Link.symlink, .hardlink, .reflink, .hardlink, .symlink, .copy] {
            try await checkOut(other, link)
            let (now, expected) = (try await forms(other), expected(link))
            #expect(now == expected)
            #expect(try await isSame(place, other))
            #expect(try other.dataset.status().isEmpty)
        }
    }

    @Test func `a file of which the user has another hard link is no link of ours`() async throws {
        let other = try await clone(source(), .copy)
        try await other.sandbox.sh("cd '\(other.top)'; chmod 444 a; ln a ../second")
        #expect(try await checkOut(other, .copy).written == 0)
        #expect(try await forms(other)["a"] == "f 444 2")
    }

    @Test func `links to a deleted cache are no removals, and a checkout makes them anew`() async throws {
        let place = try await source()
        let other = try await clone(place, .symlink)
        let cache = other.repository.mlDirectory.appending("cache/unpacked")
        try Files.removeTree(cache)
        #expect(try other.dataset.status().removed == ["a", "large", "sub/b", "sub/twin"])
        let pointer = try Files.read(other.dataset.pointerFile)
        let failure = await #expect(throws: DatasetFailure.self) { try await other.add() }
        #expect(failure?.description == "data/a is a link to content that is not in this repository's cache")
        #expect(failure?.hints.first == "`git ml checkout data` makes the links of the dataset anew")
        #expect(try Files.read(other.dataset.pointerFile) == pointer)
        #expect(try await checkOut(other, .symlink).written == 4)
        #expect(try await isSame(place, other))
        #expect(try other.dataset.status().isEmpty)

        // One that the next state does not have goes all the same.
        place.remove("a")
        try await place.add()
        try await place.hand(to: other)
        try Files.removeTree(cache)
        try await checkOut(other, .symlink)
        #expect(try await isSame(place, other))
        #expect(try await forms(other)["a"] == nil)

        try await checkOut(other, .hardlink)
        try Files.removeTree(cache)
        #expect(try other.dataset.status().isEmpty)
    }

    @Test(arguments: links)
    func `what was written through a link is a change, is not handed on, and is not lost`(link: DataSettings.Link)
        async throws
    {
        let other = try await clone(source(), link)
        try await other.sandbox.sh("cd '\(other.top)'; rm sub/twin; chmod u+w a; printf TEXT > a; chmod u-w a")
        let changes = try other.dataset.status()
        #expect(changes.changed == ["a"] && changes.removed == ["sub/twin"])
        #expect(try await checkOut(other, link).kept == ["a"])
        #expect(try Files.readText(other.top.appending("sub/twin")) == "text")
        let aside = other.repository.mlDirectory.appending("cache/bad").appending(Digest.of("text").hex)
        #expect(try Files.readText(aside) == "TEXT")
    }

    @Test(arguments: links)
    func `what was written through a link and added is a content of its own from the next checkout on`(
        link: DataSettings.Link
    ) async throws {
        let other = try await clone(source(), link)
        try await other.sandbox.sh("cd '\(other.top)'; rm sub/twin; chmod u+w a; printf TEXT > a; chmod u-w a")
        try await other.add()
        try await other.sandbox.sh("cd '\(other.top)'; printf text > sub/twin")
        try await other.add()
        #expect(try await checkOut(other, link).written == 2)
        #expect(try Files.readText(other.dataset.unpacked.path(of: ContentName(Digest.of("text")))) == "text")
        let read = try await other.sandbox.sh("cd '\(other.top)'; cat a sub/twin")
        #expect(read == "TEXTtext")
        #expect(try other.dataset.status().isEmpty)
    }

    @Test func `a link into another repository is neither followed nor taken away`() async throws {
        let other = try await clone(source(), .symlink)
        let hex = Digest.of("text").hex
        let target = "/elsewhere/.git/ml/cache/unpacked/\(hex.prefix(2))/\(hex.dropFirst(2).prefix(2))/\(hex)"
        try await other.sandbox.sh("ln -s \(target) '\(other.top)/foreign'")
        await #expect(throws: DatasetFailure.self) { try await other.add() }
        try await checkOut(other, .symlink)
        let kept = try await other.sandbox.sh("readlink '\(other.top)/foreign'")
        #expect(kept == target + "\n")
    }

    @Test(arguments: links)
    func `a dataset of one file is a link as well`(link: DataSettings.Link) async throws {
        let place = try await DatasetPlace(Sandbox(), path: "big.bin")
        var random = SeededGenerator(seed: 5)
        let bytes = random.bytes(2_000_000)
        try Files.replace(place.top, with: bytes)
        try await place.add()
        #expect(try await checkOut(place, link).written == 1)
        #expect(Files.status(place.top)?.kind == (link == .symlink ? .link : .file))
        let read = try await place.sandbox.sh("sha256sum < '\(place.top)'")
        #expect(read.hasPrefix(Digest.of(bytes).hex))
        #expect(try place.dataset.status().isEmpty)
        #expect(try await !place.add().isChanged)
        #expect(try await checkOut(place, .copy).written == 1)
        #expect(try Files.read(place.top) == bytes)
        #expect(Files.status(place.top)?.kind == .file)
    }
}
