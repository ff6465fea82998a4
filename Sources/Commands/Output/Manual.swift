internal import ArgumentParser

/// The manual page, made of the commands' own help, so that the two never differ; `make install` puts it in place.
struct Manual: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the manual page", shouldDisplay: false)

    func run() {
        print(#".TH GIT-ML 1 "" "git-ml \#(GitML.configuration.version)" "Git Manual""#)
        section("NAME", "git-ml - experiments, data, models and their delivery, kept in git")
        section("DESCRIPTION", GitML.helpMessage(columns: 78))
        for group in GitML.configuration.groupedSubcommands {
            for command in group.subcommands where command.configuration.shouldDisplay {
                let name = command._commandName
                section("GIT ML \(name.uppercased())", GitML.helpMessage(for: command, columns: 78))
            }
        }
        section("SEE ALSO", "git(1), git-notes(1), git-lfs(1), gitattributes(5)")
    }

    /// A section whose text stands as it is.
    private func section(_ title: String, _ text: String) {
        print(".SH \(title)\n.nf")
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let plain = line.replacing("\\", with: "\\e").replacing("-", with: "\\-")
            print(plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&" + plain : plain)
        }
        print(".fi")
    }
}
