public import Base
internal import GitKit
internal import Runs

extension Review {
    /// One object as `git ml review --json` prints it.
    public var json: JSON {
        [
            "model": .string(model.description), "stage": .string(stage), "candidate": candidate.json,
            "current": current?.json ?? .null,
            "staged": assignment.map {
                [
                    "tag": .string($0.tag), "by": .optional($0.by), "time": .string($0.time.description),
                    "counter": $0.counter.map { .int(Int64($0)) } ?? .null,
                ]
            } ?? .null,
            "passed": .bool(passes), "gates": .array(gates.map(\.json)), "metrics": .array(metrics.map(\.json)),
            "params": .array(params.map(\.json)), "environment": .array(environment.map(\.json)),
            "data": .array(data.map(\.json)), "code": .array(code.map(\.json)),
            "approvals": .array(
                zip(approvals, objections).map { approval, objection in
                    .object(
                        (approval.json.members ?? []) + [
                            JSON.Member("counts", .bool(objection == nil)),
                            JSON.Member("objection", .optional(objection)),
                        ])
                }), "approvals_asked": .int(approvalsAsked), "approvals_counted": .int(Int64(approvalCount)),
            "reproducibility": [
                "verdict": .string(reproducibility.verdict.rawValue),
                "reasons": .array(reproducibility.reasons.map { .string($0) }),
            ],
        ]
    }
}

extension JSON {
    fileprivate static func optional(_ value: Int64?) -> JSON { value.map { .int($0) } ?? .null }
}

extension Review.Side {
    fileprivate var json: JSON {
        [
            "commit": .string(commit.id.hex), "version": .optional(version.map { "\($0)" }),
            "summary": .string(commit.summary), "author": .string(commit.author.name),
            "time": .string(commit.committer.time.description), "size": .optional(size), "run": run?.json ?? .null,
            "problem": .optional(problem),
        ]
    }
}

extension Review.Metric {
    fileprivate var json: JSON {
        [
            "key": .string(key), "old": old.map { .number($0) } ?? .null, "new": new.map { .number($0) } ?? .null,
            "direction": .optional(direction?.rawValue), "verdict": .optional(verdict?.rawValue),
        ]
    }
}

extension Review.Value {
    fileprivate var json: JSON { ["key": .string(key), "old": .optional(old), "new": .optional(new)] }
}

extension Review.CodeChange {
    fileprivate var json: JSON { ["path": .string(path), "added": .optional(added), "deleted": .optional(deleted)] }
}

extension DataChange {
    fileprivate var json: JSON {
        [
            "path": .string(path), "kind": isDataset ? "dataset" : "file", "state": .string(state.rawValue),
            "old": old?.json ?? .null, "new": new?.json ?? .null,
            "files": files.map {
                [
                    "added": .int(Int64($0.added)), "changed": .int(Int64($0.changed)),
                    "removed": .int(Int64($0.removed)),
                ]
            } ?? .null,
        ]
    }
}

extension DataChange.Version {
    fileprivate var json: JSON {
        [
            "size": .int(size), "files": .optional(files), "rows": .optional(rows),
            "columns": columns.map { .array($0.map { .string($0) }) } ?? .null,
        ]
    }
}
