internal import Base
internal import SystemPackage

/// Writes a long file past the page cache where the file system lets it.
///
/// Written through the cache, a gibibyte is copied once more and then waited for at the flush; written past it, the disk works
/// while the next piece is hashed, and the flush finds nothing left. Short files go through the cache: they are read again soon.
struct DirectOutput: ~Copyable {
    /// What is written before the cache is left out.
    private static let cached: Int64 = 8 << 20
    /// The strictest alignment of memory, offset and length that disks ask for.
    private static let alignment = 4096

    private let file: FileDescriptor
    private var offset: Int64 = 0
    private var isDirect = false
    private var isPossible = true

    init(_ file: FileDescriptor) { self.file = file }

    /// Appends the bytes.
    mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        if isPossible, !isDirect, offset >= Self.cached { setDirect(true) }
        if isDirect, bytes.count % Self.alignment != 0 || offset % Int64(Self.alignment) != 0 { setDirect(false) }
        do {
            try file.writeAll(toAbsoluteOffset: offset, bytes)
        } catch Errno.invalidArgument where isDirect {
            isPossible = false
            setDirect(false)
            try file.writeAll(toAbsoluteOffset: offset, bytes)
        }
        if !isDirect { startWriting(from: offset, count: bytes.count) }
        offset += Int64(bytes.count)
    }

    private mutating func setDirect(_ isOn: Bool) {
        #if os(Linux)
        let flags = fcntl(file.rawValue, F_GETFL)
        let isSet = fcntl(file.rawValue, F_SETFL, isOn ? flags | directFlag : flags & ~directFlag) == 0
        isDirect = isOn && isSet
        isPossible = isPossible && isSet
        #else
        isPossible = false
        #endif
    }

    /// Lets the disk begin, so that the flush at the end has little left to do.
    private func startWriting(from offset: Int64, count: Int) {
        #if os(Linux)
        _ = syncFileRange(file.rawValue, offset, Int64(count), 2)
        #endif
    }
}

#if os(Linux)
/// `O_DIRECT`, which the C library shows to GNU sources only.
#if arch(arm64)
private let directFlag: Int32 = 0o200000
#else
private let directFlag: Int32 = 0o40000
#endif

@_silgen_name("sync_file_range")
private func syncFileRange(_ file: Int32, _ offset: Int64, _ count: Int64, _ flags: UInt32) -> Int32
#endif
