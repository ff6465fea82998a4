internal import Base
internal import GitKit
internal import Images
internal import Models

/// Whose signature stands beside an image, held against the signers of the protected branch.
struct ImageSignature {
    /// Where stages name no file of signers.
    private static let defaultFile = ".ml/allowed_signers"

    let repository: Repository
    let image: ImageDescription
    let source: any ImageSource
    /// What stands beside the image.
    let referrers: [Referrer]

    private enum Verdict {
        case good(Signer, statement: [UInt8], file: String)
        case bad(code: String, detail: String)
    }

    /// The verdict, and the statement that was signed when it is good.
    ///
    /// One good signature is enough: whoever may push can put any other beside it.
    func check(model: ModelName?) async throws -> (check: ImageCheck, statement: [UInt8]?) {
        let policy = try Policy.protected(repository)
        let envelopes = referrers.filter { $0.type == SignedEnvelope.type }
        guard !envelopes.isEmpty else {
            let asked =
                model.flatMap { policy?.project.models[$0]?.package.sign }.map { $0.program != .cosign } ?? false
            let detail = asked ? "unsigned, and \(Project.fileName) on the protected branch asks for it" : "unsigned"
            return (
                ImageCheck(name: "signature", result: asked ? .failed : .absent, detail: detail, code: "unsigned"), nil
            )
        }
        var bad: [(code: String, detail: String)] = []
        for envelope in envelopes {
            switch await verdict(envelope, policy) {
            case .good(let signer, let statement, let file):
                let names = signer.names.joined(separator: ", ")
                let detail = "by \(names) (\(signer.key), \(file) on the protected branch)"
                return (ImageCheck(name: "signature", result: .ok, detail: detail), statement)
            case .bad(let code, let detail): bad.append((code, detail))
            }
        }
        let detail = bad.map(\.detail).joined(separator: "; ")
        return (ImageCheck(name: "signature", result: .failed, detail: detail, code: bad.first?.code), nil)
    }

    private func verdict(_ referrer: Referrer, _ policy: Policy?) async -> Verdict {
        do {
            guard let envelope = SignedEnvelope(try await source.document(referrer)) else {
                return .bad(code: "tampered", detail: "tampered: the envelope of the signature cannot be read")
            }
            let found = await signer(of: envelope, policy)
            guard case .good = found else { return found }
            try await hold(envelope)
            return found
        } catch let failure as Mismatch {
            return .bad(code: "tampered", detail: "tampered: \(failure)")
        } catch {
            return .bad(code: "unreadable-signature", detail: "\(error)")
        }
    }

    // MARK: Signers

    /// Asks each file of signers; the answer that tells most, when none knows the key.
    private func signer(of envelope: SignedEnvelope, _ policy: Policy?) async -> Verdict {
        var worst: SignatureFailure?
        var files: [String] = []
        do {
            for file in Self.files(policy) {
                guard let policy, let signers = try Signers(file, at: policy.commit, in: repository) else { continue }
                files.append(file)
                for signature in envelope.signatures {
                    let text = SignedText(
                        payload: envelope.signedBytes, signature: String(decoding: signature, as: UTF8.self))
                    // What was put into it must not be read as a signature of its own.
                    guard text.payload == envelope.signedBytes else { continue }
                    do {
                        return .good(try await signers.verify(text), statement: envelope.payload, file: file)
                    } catch let failure as SignatureFailure {
                        worst = worst.map { Self.weight($0) >= Self.weight(failure) ? $0 : failure } ?? failure
                    }
                }
            }
        } catch { return .bad(code: "unreadable-signature", detail: "\(error)") }
        if files.isEmpty {
            return .bad(
                code: "no-signers",
                detail:
                    "nobody's key is trusted: \(Self.files(policy).joined(separator: ", ")) is not on the protected branch"
            )
        }
        if worst == nil, !envelope.signatures.isEmpty {
            return .bad(
                code: "tampered",
                detail: "tampered: text and signature cannot be parted as they were when it was signed")
        }
        let failure = worst ?? .unreadable(reason: "the envelope holds none")
        if case .otherText(let key) = failure {
            return .bad(code: "tampered", detail: "tampered: what \(key) has signed is something else")
        }
        return .bad(code: failure.code, detail: "\(failure)")
    }

    /// The files that stages name on the protected branch.
    private static func files(_ policy: Policy?) -> [String] {
        let project = policy?.project
        let stages =
            (project.map { Array($0.stages.values) } ?? []) + (project?.models.values.flatMap(\.stages.values) ?? [])
        let files = Set(stages.compactMap { $0.signers?.file }).sorted()
        return files.isEmpty ? [defaultFile] : files
    }

    private static func weight(_ failure: SignatureFailure) -> Int {
        switch failure {
        case .otherText: 4
        case .revokedKey: 3
        case .expiredKey, .notYetValid: 2
        case .notForGit, .otherNamespace, .removedKey: 1
        default: 0
        }
    }

    // MARK: What was signed

    /// Whether the statement speaks of this image, and of the bill of materials that stands beside it.
    private func hold(_ envelope: SignedEnvelope) async throws {
        guard envelope.payloadType == Provenance.type,
            let statement = try? JSON.parse(String(decoding: envelope.payload, as: UTF8.self))
        else { throw Mismatch("something else than provenance was signed") }
        guard ImageVerification.subjects(statement) == [image.manifest.digest.hex] else {
            throw Mismatch("another image was signed")
        }
        let byproducts = statement["predicate"]?["runDetails"]?["byproducts"]?.array ?? []
        let signed = byproducts.first { $0["name"]?.string == Provenance.billName }?["digest"]?["sha256"]?.string
        for bill in referrers where bill.type == BillOfMaterials.type {
            guard Digest.of(try await source.document(bill)).hex == signed else {
                throw Mismatch("the bill of materials is not the one that was signed")
            }
        }
    }
}

/// Something in an image that does not agree with something else.
struct Mismatch: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
