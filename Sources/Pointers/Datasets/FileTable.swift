internal import Base

/// What `stat` says that tells one version of a file from another.
struct FileStamp: Equatable, Sendable {
    var size: Int64
    /// Nanoseconds since 1970.
    var modified: Int64
    var changed: Int64
    var inode: UInt64

    static let unknown = FileStamp(size: -1, modified: 0, changed: 0, inode: 0)

    init(size: Int64, modified: Int64, changed: Int64, inode: UInt64) {
        self.size = size
        self.modified = modified
        self.changed = changed
        self.inode = inode
    }

    init(_ info: stat) {
        #if os(Linux)
        let (modified, changed) = (info.st_mtim, info.st_ctim)
        #else
        let (modified, changed) = (info.st_mtimespec, info.st_ctimespec)
        #endif
        size = Int64(info.st_size)
        self.modified = Int64(modified.tv_sec) &* 1_000_000_000 &+ Int64(modified.tv_nsec)
        self.changed = Int64(changed.tv_sec) &* 1_000_000_000 &+ Int64(changed.tv_nsec)
        inode = UInt64(info.st_ino)
        // Each further link to it changes its ctime, and nothing else of it.
        if info.st_mode & S_IFMT == S_IFREG, info.st_mode & 0o222 == 0, info.st_nlink > 1 {
            self.changed = self.modified
        }
    }

    /// Whether a change after `clock` could leave the same stamp: such a one is not trusted, as in git's index.
    func isRacy(at clock: Int64) -> Bool {
        // Coarse clocks tick every 4 to 10 ms; a file system that keeps whole seconds needs two of them.
        let isCoarse = modified % 1_000_000_000 == 0 && changed % 1_000_000_000 == 0
        return max(modified, changed) >= clock - (isCoarse ? 2_000_000_000 : 20_000_000)
    }

    /// The clock by which file systems stamp files.
    static func now() -> Int64 {
        var time = timespec()
        #if os(Linux)
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        #else
        clock_gettime(CLOCK_REALTIME, &time)
        #endif
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// The files of a folder in the order of a manifest; the paths lie in one buffer, so that a million cost some 150 MB.
struct FileTable: Sendable {
    struct Row: Sendable {
        var pathStart: Int
        var pathLength: UInt16
        var mode: Mode
        var stamp: FileStamp
        /// The content, where it is known.
        var name = ContentName.none
        var isKnown = false
        /// Belongs to the dataset and was not asked for here.
        var isAbsent = false
        var form = Form.own
        /// A place in a table of packs; -1 for none, -2 - n for the n-th list of parts.
        var pack: Int32 = -1
        var offset: Int64 = 0
    }

    /// How a file stands in the work tree: by itself, as one of several names, or as a symbolic link into ``Unpacked``.
    enum Form: UInt8, Sendable {
        case own, hardLink, symbolicLink

        init(_ info: stat) {
            let isShared = info.st_mode & S_IFMT == S_IFREG && info.st_mode & 0o222 == 0 && info.st_nlink > 1
            self = isShared ? .hardLink : .own
        }
    }

    enum Mode: UInt8, Sendable {
        case file, executable, link, folder, other
        /// A link of ours whose content is not there.
        case dangling

        init(_ info: stat) {
            switch info.st_mode & S_IFMT {
            case S_IFREG: self = info.st_mode & 0o100 != 0 ? .executable : .file
            case S_IFLNK: self = .link
            case S_IFDIR: self = .folder
            default: self = .other
            }
        }

        var entryMode: EntryMode { EntryMode(rawValue: rawValue) ?? .file }
    }

    var paths: [UInt8] = []
    var rows: [Row] = []
    /// Left by a command that was stopped.
    var leftovers: [[UInt8]] = []
    /// The clock before the first file was looked at.
    var clock: Int64 = 0

    /// What stands under a name, a link of ours seen as the file that it stands for; nil when there is nothing.
    ///
    /// The name lies in the folder that `folder` is open on.
    static func look(_ folder: Int32, _ name: [CChar], _ unpacked: Unpacked) -> (Mode, Form, FileStamp)? {
        var info = stat()
        guard fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        let mode = Mode(info)
        guard mode == .link else { return (mode, Form(info), FileStamp(info)) }
        switch unpacked.target(folder, name) {
        case .other: return (.link, .own, FileStamp(info))
        case .gone: return (.dangling, .symbolicLink, FileStamp(info))
        case .file(let target): return (.file, .symbolicLink, FileStamp(target))
        }
    }

    func path(_ i: Int) -> [UInt8] { Array(paths[rows[i].pathStart..<rows[i].pathStart + Int(rows[i].pathLength)]) }

    /// How the i-th path stands to another: negative when before it.
    func compare(_ i: Int, to other: UnsafeRawBufferPointer) -> Int {
        paths.withUnsafeBytes { bytes in
            let own = UnsafeRawBufferPointer(
                rebasing: bytes[rows[i].pathStart..<rows[i].pathStart + Int(rows[i].pathLength)])
            return order(own, other)
        }
    }
}

/// Lexicographic order of bytes: negative, zero or positive.
func order(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
    let count = min(a.count, b.count)
    if count > 0, let x = a.baseAddress, let y = b.baseAddress {
        let result = memcmp(x, y, count)
        if result != 0 { return Int(result) }
    }
    return a.count - b.count
}
