internal import Base

/// Names of a model's stage where only lower-case letters, digits and dashes may stand: Kubernetes, podman, systemd.
public enum WorkloadName {
    /// `churn-prod`; different pairs never share one: what loses something on the way gets a part of its digest behind it.
    ///
    /// At most 46 bytes, so that a suffix of ours still makes a valid name of a Service.
    public static func of(_ model: String, _ stage: String) -> String {
        let plain = "\(model)-\(stage)"
        let isPlain =
            plain.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == 0x2d }
            && !model.contains("-") && !stage.contains("-") && !("0"..."9").contains(plain.first ?? "0")
        if isPlain, plain.utf8.count <= 46 { return plain }
        let words = plain.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }.joined(separator: "-")
        return "m-\(words.prefix(34))-".replacing("--", with: "-") + Digest.of("\(model)#\(stage)").hex.prefix(8)
    }
}
