internal import GitKit
internal import Storage
internal import SystemPackage

/// From addresses of data to remotes.
enum DataAddress {
    /// What `data.remote` in `ml.yaml` names; a relative path counts from the top of the work tree.
    static func objectRemote(_ address: String, of repository: Repository) throws -> any ObjectRemote {
        if address.hasPrefix("ssh://") || address.hasPrefix("sftp://") {
            return try patient(SSHRemote(address, settings: repository.lfsSettings()))
        }
        if address.hasPrefix("/") || (address.hasPrefix(".") && !address.contains("://")) {
            let top = repository.workTree ?? repository.commonDirectory
            return try patient(DirectoryRemote(top.pushing(FilePath(address)).lexicallyNormalized()))
        }
        return try Storage.objectRemote(address)
    }

    /// The place of a git remote's LFS objects: a server, or a folder of a repository on this machine.
    static func objectRemote(_ context: LFSContext) throws -> any ObjectRemote {
        let (download, upload) = (context.endpoint(for: .download), context.endpoint(for: .upload))
        if download == upload { return try objectRemote(context, download) }
        return try SplitRemote(
            downloads: objectRemote(context, download), uploads: objectRemote(context, upload))
    }

    private static func objectRemote(_ context: LFSContext, _ endpoint: LFSEndpoint?) throws -> any ObjectRemote {
        switch endpoint {
        case .server: try patient(LFSRemote(context))
        case .local(let folder): try patient(DirectoryRemote(Repository(folder).contentStore))
        case nil: throw StorageFailure.unsupportedRemote(context.remote)
        }
    }
}
