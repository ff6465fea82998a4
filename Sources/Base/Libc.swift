// One place decides which C library gives the POSIX calls that SystemPackage does not wrap.
#if canImport(Glibc)
@_exported import Glibc
#elseif canImport(Musl)
@_exported import Musl
#else
@_exported import Darwin
#endif

/// `rename(2)`; named apart because `Files.rename` hides it.
func posixRename(_ old: UnsafePointer<CChar>, _ new: UnsafePointer<CChar>) -> Int32 { rename(old, new) }
