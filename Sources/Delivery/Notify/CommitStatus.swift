internal import Base
internal import GitKit
internal import Models

/// The status of a commit at a forge: `git-ml/churn#prod`, and how it went.
struct CommitStatus {
    private let notice: DeliveryNotice

    init(_ notice: DeliveryNotice) { self.notice = notice }

    func url(_ forge: NotifySettings.Forge, api: String, repository: String) -> String {
        let commit = notice.commit.hex
        return switch forge {
        case .github: "\(api)/repos/\(repository)/statuses/\(commit)"
        case .gitea: "\(api)/api/v1/repos/\(repository)/statuses/\(commit)"
        case .gitlab: "\(api)/api/v4/projects/\(repository.replacing("/", with: "%2F"))/statuses/\(commit)"
        }
    }

    func headers(_ forge: NotifySettings.Forge, token: String) -> [String: String] {
        switch forge {
        case .github:
            [
                "Authorization": "Bearer \(token)", "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "git-ml",
            ]
        case .gitea: ["Authorization": "token \(token)"]
        case .gitlab: ["PRIVATE-TOKEN": token]
        }
    }

    func body(_ forge: NotifySettings.Forge) -> JSON {
        let name = "git-ml/\(notice.model)#\(notice.stage)"
        return [
            "state": .string(state(forge)), forge == .gitlab ? "name" : "context": .string(name),
            "description": .string(String(notice.text.prefix(140))),
        ]
    }

    private func state(_ forge: NotifySettings.Forge) -> String {
        switch notice.status {
        case "succeeded": "success"
        case "running": forge == .gitlab ? "running" : "pending"
        case "superseded": forge == .gitlab ? "canceled" : "success"
        default: forge == .gitlab ? "failed" : "failure"
        }
    }
}
