internal import GRDB

/// The tables of the index.
///
/// Keys are integers: names (of metrics, parameters and tags) and ids (of commits) stand once. What a run says of itself
/// lies by run, so that a bulk load only ever appends; what is searched for lies by key and value in a second index.
enum IndexSchema {
    /// Another number: the file is built anew.
    static let version: Int64 = 4

    static let tables = """
        CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
        CREATE TABLE environments(id INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE);
        CREATE TABLE commits(id INTEGER PRIMARY KEY, oid BLOB NOT NULL UNIQUE);
        CREATE TABLE runs(
            id INTEGER PRIMARY KEY, run BLOB NOT NULL, code INTEGER NOT NULL, name TEXT, experiment TEXT, user TEXT,
            host TEXT, source TEXT NOT NULL, status TEXT NOT NULL, started INTEGER NOT NULL, seconds REAL, exit INTEGER,
            memory INTEGER, dirty INTEGER NOT NULL, parent TEXT, environment INTEGER NOT NULL, deleted INTEGER NOT NULL,
            last INTEGER NOT NULL, detail TEXT);
        CREATE TEMP TABLE strays(run BLOB NOT NULL, note INTEGER NOT NULL, line BLOB NOT NULL);
        CREATE TABLE metrics(
            run INTEGER NOT NULL, key INTEGER NOT NULL, value REAL, step INTEGER NOT NULL, at INTEGER, min REAL, max REAL,
            first INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(run, key)) WITHOUT ROWID;
        CREATE TABLE params(
            run INTEGER NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL, number REAL, PRIMARY KEY(run, key)
        ) WITHOUT ROWID;
        CREATE TABLE tags(
            run INTEGER NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL, number REAL, PRIMARY KEY(run, key)
        ) WITHOUT ROWID;
        CREATE TABLE items(
            run INTEGER NOT NULL, output INTEGER NOT NULL, place INTEGER NOT NULL, path TEXT NOT NULL,
            digest BLOB NOT NULL, size INTEGER NOT NULL, role TEXT NOT NULL, PRIMARY KEY(run, output, place)
        ) WITHOUT ROWID;
        CREATE TABLE links(
            run INTEGER NOT NULL, place INTEGER NOT NULL, code INTEGER NOT NULL, PRIMARY KEY(run, place)
        ) WITHOUT ROWID;
        CREATE TABLE run_notes(
            run INTEGER NOT NULL, note INTEGER NOT NULL, PRIMARY KEY(run, note)) WITHOUT ROWID;
        """

    /// Made after the tables have been filled.
    static let indexes = """
        CREATE UNIQUE INDEX runs_run ON runs(run);
        CREATE INDEX runs_code ON runs(code);
        CREATE INDEX runs_started ON runs(deleted, started, run);
        CREATE INDEX runs_name ON runs(name) WHERE name IS NOT NULL;
        CREATE INDEX runs_parent ON runs(parent) WHERE parent IS NOT NULL;
        CREATE INDEX metrics_value ON metrics(key, value, run);
        CREATE INDEX params_value ON params(key, value, run);
        CREATE INDEX tags_value ON tags(key, value, run);
        CREATE INDEX links_code ON links(code, run);
        """

    /// The commits along one history, and what snapshots stand on (`base`: NULL until it is looked up).
    static func history(in schema: String) -> [String] {
        [
            "CREATE TABLE \(schema).history(place INTEGER PRIMARY KEY, oid BLOB NOT NULL)",
            "CREATE TABLE \(schema).history_tip(tip TEXT)",
            "CREATE TABLE \(schema).bases(code INTEGER PRIMARY KEY, base BLOB)",
        ]
    }

    static func historyIndexes(in schema: String) -> [String] {
        [
            "CREATE UNIQUE INDEX \(schema).history_oid ON history(oid)",
            "CREATE INDEX \(schema).bases_base ON bases(base)",
        ]
    }
}
