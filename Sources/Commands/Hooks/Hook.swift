internal import ArgumentParser

/// What git's hooks call; the shims in `hooks/` lead here.
struct Hook: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What git's hooks call", shouldDisplay: false,
        subcommands: [
            PreCommit.self, PostCommit.self, PostCheckout.self, PostMerge.self, PostRewrite.self, PrePush.self,
            PreReceive.self, PostReceive.self,
        ])
}
