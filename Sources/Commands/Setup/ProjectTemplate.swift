internal import Base

/// The `ml.yaml` that `git ml init` writes.
enum ProjectTemplate {
    static func text(repositoryID: String) -> String {
        """
        # What git-ml knows of this repository. Everything but `version` is optional.
        version: 1
        repo: \(repositoryID)   # binds stage tags to this repository

        # data:
        #   remote: file:///srv/ml-data        # default: the place where the git remote keeps LFS objects

        # What a commit records; these are the defaults.
        # record:
        #   params: [params.yaml, params.json, params.toml]
        #   metrics: [metrics.json, metrics.yaml, "dvclive/metrics.json"]

        # models:
        #   churn:
        #     path: models/churn.joblib        # a tracked file or folder
        #     package:
        #       template: python               # templates/serving/python
        #       requirements: requirements.txt

        # stages:
        #   prod:
        #     gate:
        #       - metrics.auc >= 0.85
        #       - metrics.auc >= current.metrics.auc - 0.005
        #     deploy: {to: local}
        #     probe: {path: /v2/health/ready, within: 60s}

        """
    }
}
