internal import GRDB
internal import GRDBSQLite

/// A prepared statement of SQLite, for the loops in which GRDB's own rows would cost more than the work.
///
/// Parameters and columns count as in C: the first parameter is 1, the first column 0.
final class IndexStatement {
    private let handle: OpaquePointer
    private let connection: OpaquePointer

    init(_ database: Database, _ sql: String) throws {
        guard let connection = database.sqliteConnection else {
            throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the connection is closed")
        }
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else { throw Self.failure(connection, code, sql) }
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    /// Runs it for its effect.
    func run() throws {
        let code = sqlite3_step(handle)
        sqlite3_reset(handle)
        guard code == SQLITE_DONE || code == SQLITE_ROW else { throw Self.failure(connection, code, nil) }
    }

    /// Goes to the next row; after the last one it is ready to be bound again.
    func next() throws -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        sqlite3_reset(handle)
        guard code == SQLITE_DONE else { throw Self.failure(connection, code, nil) }
        return false
    }

    /// Leaves the rows that were not asked for.
    func reset() { sqlite3_reset(handle) }

    private static func failure(_ connection: OpaquePointer, _ code: Int32, _ sql: String?) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(connection)), sql: sql)
    }
}

// MARK: - Parameters

extension IndexStatement {
    /// SQLite copies what is bound.
    private static let copied = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    func bind(_ i: Int32, _ value: Int64?) {
        if let value { sqlite3_bind_int64(handle, i, value) } else { sqlite3_bind_null(handle, i) }
    }

    /// NaN is stored as NULL: SQLite has no other word for it.
    func bind(_ i: Int32, _ value: Double?) {
        if let value { sqlite3_bind_double(handle, i, value) } else { sqlite3_bind_null(handle, i) }
    }

    func bind(_ i: Int32, _ value: Bool) { sqlite3_bind_int64(handle, i, value ? 1 : 0) }

    func bind(_ i: Int32, _ text: String?) {
        guard var text else {
            sqlite3_bind_null(handle, i)
            return
        }
        text.withUTF8 { units in
            // An empty buffer may have no address, which SQLite would take for NULL.
            guard let base = units.baseAddress, !units.isEmpty else {
                sqlite3_bind_text(handle, i, "", 0, Self.copied)
                return
            }
            base.withMemoryRebound(to: CChar.self, capacity: units.count) {
                _ = sqlite3_bind_text(handle, i, $0, Int32(units.count), Self.copied)
            }
        }
    }

    func bind(_ i: Int32, bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        sqlite3_bind_blob(handle, i, bytes, Int32(bytes.count), Self.copied)
    }

    func bind(_ i: Int32, _ value: IndexValue) {
        switch value {
        case .int(let value): bind(i, value)
        case .double(let value): bind(i, value)
        case .text(let text): bind(i, text)
        case .bytes(let bytes): bind(i, bytes: bytes)
        }
    }
}

/// A parameter of a statement that was put together.
enum IndexValue: Hashable, Sendable {
    case int(Int64)
    case double(Double)
    case text(String)
    case bytes([UInt8])
}

// MARK: - Columns

extension IndexStatement {
    func isNull(_ i: Int32) -> Bool { sqlite3_column_type(handle, i) == SQLITE_NULL }
    func int(_ i: Int32) -> Int64 { sqlite3_column_int64(handle, i) }
    func optionalInt(_ i: Int32) -> Int64? { isNull(i) ? nil : int(i) }
    func double(_ i: Int32) -> Double { isNull(i) ? .nan : sqlite3_column_double(handle, i) }
    func optionalDouble(_ i: Int32) -> Double? { isNull(i) ? nil : sqlite3_column_double(handle, i) }
    func text(_ i: Int32) -> String { optionalText(i) ?? "" }

    func optionalText(_ i: Int32) -> String? {
        guard let text = sqlite3_column_text(handle, i) else { return nil }
        return String(
            decoding: UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(handle, i))), as: UTF8.self)
    }

    func bytes(_ i: Int32) -> [UInt8] {
        guard let bytes = sqlite3_column_blob(handle, i) else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(handle, i))))
    }
}
