internal import Base
internal import Images
public import Models

/// Names of models and versions as registries take them.
///
/// Two models never get one name: what loses something on the way gets a part of its digest behind it.
public enum ImageName {
    /// A model as the name of a repository: lower case, `team:churn` as `team.churn`.
    public static func path(_ model: ModelName) -> String {
        let name = model.description
        let plain = name.replacing(":", with: ".")
        if plain.split(separator: "/", omittingEmptySubsequences: false).allSatisfy({ isPart($0) }) { return plain }
        let words = plain.lowercased().split(separator: "/").map { part in
            part.split { "._-".contains($0) }.joined(separator: "-")
        }
        return words.filter { !$0.isEmpty }.joined(separator: "/") + ".x-" + Digest.of(name).hex.prefix(8)
    }

    /// A version as a tag: `+` as `_`, which no version holds, and not longer than tags may be.
    public static func tag(_ version: String) -> String {
        let tag = version.replacing("+", with: "_")
        return tag.utf8.count <= 128 ? tag : String(tag.prefix(110)) + ".x-" + Digest.of(version).hex.prefix(8)
    }

    private static func isPart(_ text: Substring) -> Bool {
        guard case .registry(_, nil, nil)? = try? ImageReference("x.example/\(text)") else { return false }
        return true
    }
}
