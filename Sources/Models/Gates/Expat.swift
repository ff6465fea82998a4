internal import Base

/// The XML parser that git itself is linked with (libexpat), opened when it is first needed.
///
/// Only what begins and what ends is asked of it. A document type is refused: it could define entities that grow without
/// end, and nothing that is read here has one.
enum Expat {
    /// What a document consists of, in its order.
    enum Event {
        case start(name: String, attributes: [String: String])
        case end(name: String)
    }

    /// A text that is no such document.
    struct Problem: Error {
        let line: Int
        let reason: String
    }

    /// Reads a whole document; nil where there is no libexpat.
    ///
    /// Namespaces' prefixes stay in the names.
    static func parse(_ bytes: [UInt8], _ body: @escaping (Event) -> Void) throws(Problem) -> Void? {
        guard let library, let parser = library.create(nil) else { return nil }
        defer { library.free(parser) }
        try Handler(library: library, parser: parser, body: body).run(bytes)
        return ()
    }

    private typealias Parser = OpaquePointer
    private typealias StartHandler =
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<CChar>?, UnsafePointer<UnsafePointer<CChar>?>?
        ) -> Void
    private typealias EndHandler = @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<CChar>?) -> Void
    private typealias TypeHandler =
        @convention(c) (
            UnsafeMutableRawPointer?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafePointer<CChar>?, Int32
        ) -> Void

    /// The functions of `expat.h` that are used; they have been the same since 2001.
    private struct Library: @unchecked Sendable {  // pointers to code
        let create: @convention(c) (UnsafePointer<CChar>?) -> Parser?
        let free: @convention(c) (Parser?) -> Void
        let setUserData: @convention(c) (Parser?, UnsafeMutableRawPointer?) -> Void
        let setElementHandler: @convention(c) (Parser?, StartHandler?, EndHandler?) -> Void
        let setTypeHandler: @convention(c) (Parser?, TypeHandler?) -> Void
        let parse: @convention(c) (Parser?, UnsafePointer<CChar>?, Int32, Int32) -> Int32
        let stop: @convention(c) (Parser?, UInt8) -> Int32
        let errorCode: @convention(c) (Parser?) -> Int32
        let errorText: @convention(c) (Int32) -> UnsafePointer<CChar>?
        let line: @convention(c) (Parser?) -> UInt

        init?() {
            #if canImport(Darwin)
            let name = "libexpat.1.dylib"
            #else
            let name = "libexpat.so.1"
            #endif
            guard let handle = dlopen(name, RTLD_NOW) else { return nil }
            func find<T>(_ name: String, _ type: T.Type) -> T? {
                dlsym(handle, "XML_" + name).map { unsafeBitCast($0, to: type) }
            }
            guard let create = find("ParserCreate", (@convention(c) (UnsafePointer<CChar>?) -> Parser?).self),
                let free = find("ParserFree", (@convention(c) (Parser?) -> Void).self),
                let setUserData = find(
                    "SetUserData", (@convention(c) (Parser?, UnsafeMutableRawPointer?) -> Void).self),
                let setElementHandler = find(
                    "SetElementHandler", (@convention(c) (Parser?, StartHandler?, EndHandler?) -> Void).self),
                let setTypeHandler = find(
                    "SetStartDoctypeDeclHandler", (@convention(c) (Parser?, TypeHandler?) -> Void).self),
                let parse = find(
                    "Parse", (@convention(c) (Parser?, UnsafePointer<CChar>?, Int32, Int32) -> Int32).self),
                let stop = find("StopParser", (@convention(c) (Parser?, UInt8) -> Int32).self),
                let errorCode = find("GetErrorCode", (@convention(c) (Parser?) -> Int32).self),
                let errorText = find("ErrorString", (@convention(c) (Int32) -> UnsafePointer<CChar>?).self),
                let line = find("GetCurrentLineNumber", (@convention(c) (Parser?) -> UInt).self)
            else { return nil }
            (self.create, self.free, self.setUserData) = (create, free, setUserData)
            (self.setElementHandler, self.setTypeHandler, self.parse) = (setElementHandler, setTypeHandler, parse)
            (self.stop, self.errorCode, self.errorText, self.line) = (stop, errorCode, errorText, line)
        }
    }

    private static let library = Library()

    /// What the callbacks are given.
    private final class Handler {
        private let library: Library
        private let parser: Parser
        private let body: (Event) -> Void
        private var hasType = false
        private var depth = 0

        init(library: Library, parser: Parser, body: @escaping (Event) -> Void) {
            self.library = library
            self.parser = parser
            self.body = body
        }

        func run(_ bytes: [UInt8]) throws(Problem) {
            library.setUserData(parser, Unmanaged.passUnretained(self).toOpaque())
            library.setElementHandler(
                parser, { Handler.of($0)?.start($1, $2) }, { context, name in Handler.of(context)?.end(name) })
            library.setTypeHandler(parser) { context, _, _, _, _ in Handler.of(context)?.refuse() }
            let status = withExtendedLifetime(self) {
                bytes.withUnsafeBytes { buffer -> Int32 in
                    let text = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
                    return library.parse(parser, text, Int32(clamping: buffer.count), 1)
                }
            }
            guard status != 1 else { return }
            let reason =
                hasType
                ? "a document type is not allowed"
                : library.errorText(library.errorCode(parser)).map { String(cString: $0) } ?? "it is no XML"
            throw Problem(line: Int(library.line(parser)), reason: reason)
        }

        private static func of(_ context: UnsafeMutableRawPointer?) -> Handler? {
            context.map { Unmanaged<Handler>.fromOpaque($0).takeUnretainedValue() }
        }

        private func start(_ name: UnsafePointer<CChar>?, _ list: UnsafePointer<UnsafePointer<CChar>?>?) {
            depth += 1
            guard let name, depth < 100 else { return refuseDepth() }
            var attributes: [String: String] = [:]
            var i = 0
            while let key = list?[i], let value = list?[i + 1] {
                attributes[String(cString: key)] = String(cString: value)
                i += 2
            }
            body(.start(name: String(cString: name), attributes: attributes))
        }

        private func end(_ name: UnsafePointer<CChar>?) {
            depth -= 1
            if let name { body(.end(name: String(cString: name))) }
        }

        private func refuse() {
            hasType = true
            _ = library.stop(parser, 0)
        }

        private func refuseDepth() { _ = library.stop(parser, 0) }
    }
}
