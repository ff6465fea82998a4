public import Base

/// Why an image could not be made or read.
public enum ImageFailure: Failure, Equatable {
    case unusableFile(path: String, reason: String)
    case malformed(place: String, reason: String)
    case unsupported(reference: String)
    case badReference(String)
    case notFound(reference: String)

    public var kind: FailureKind {
        switch self {
        case .unusableFile, .unsupported, .badReference: .user
        case .malformed: .corrupt
        case .notFound: .notFound
        }
    }

    public var description: String {
        switch self {
        case .unusableFile(let path, let reason): "\(path) cannot be packaged: \(reason)"
        case .malformed(let place, let reason): "\(place) cannot be used: \(reason)"
        case .unsupported(let reference): "this version cannot use “\(reference)”"
        case .badReference(let text): "“\(text)” names no image"
        case .notFound(let reference): "there is no image \(reference)"
        }
    }

    public var hints: [String] {
        switch self {
        case .unsupported: ["use an OCI layout: oci:/a/folder; `skopeo copy oci:DIR:TAG docker://…` pushes it anywhere"]
        case .badReference: ["write oci:DIR:TAG, or HOST/NAME:TAG in lower-case letters"]
        default: []
        }
    }
}
