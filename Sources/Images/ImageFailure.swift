public import Base

/// Why an image could not be made or read.
public enum ImageFailure: Failure, Equatable {
    case unusableFile(path: String, reason: String)
    case malformed(place: String, reason: String)
    case unsupported(String, hints: [String] = [])
    case badReference(String)
    case badPlatform(String)
    case notFound(reference: String, hints: [String] = [])
    /// `there` lists what can be had instead.
    case noPlatform(reference: String, wanted: String, there: [String])

    public var kind: FailureKind {
        switch self {
        case .unusableFile, .unsupported, .badReference, .badPlatform, .noPlatform: .user
        case .malformed: .corrupt
        case .notFound: .notFound
        }
    }

    public var description: String {
        switch self {
        case .unusableFile(let path, let reason): "\(path) cannot be packaged: \(reason)"
        case .malformed(let place, let reason): "\(place) cannot be used: \(reason)"
        case .unsupported(let what, _): what
        case .badReference(let text): "“\(text)” names no image"
        case .badPlatform(let text): "“\(text)” is no platform"
        case .notFound(let reference, _): "there is no image \(reference)"
        case .noPlatform(let reference, let wanted, let there):
            "\(reference) is not made for \(wanted), but for "
                + (there.isEmpty ? "nothing" : there.joined(separator: ", "))
        }
    }

    public var hints: [String] {
        switch self {
        case .unsupported(_, let hints), .notFound(_, let hints): hints
        case .badReference:
            ["write HOST/NAME:TAG in lower-case letters, oci:DIR:TAG, docker-archive:FILE or oci-archive:FILE"]
        case .badPlatform: ["write it as linux/amd64, linux/arm64 or linux/arm/v7"]
        case .noPlatform: ["choose one of these with `package: platform:` in ml.yaml or --platform, or another base"]
        default: []
        }
    }
}
