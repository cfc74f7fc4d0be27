/** What SQLite keeps in a column. */
export type SqliteValue = string | number | bigint | Uint8Array | null;

/** A row by the names of its columns. */
export type SqliteRow = Readonly<Record<string, SqliteValue>>;

/** The little of SQLite that a store needs, whoever provides it. */
export interface SqliteDatabase {
  exec(sql: string): void;
  run(sql: string, values: readonly SqliteValue[]): void;
  all(sql: string): readonly SqliteRow[];
  close(): void;
}

/** `node:sqlite`, which Node has since 22.13, and its types of this version do not know. */
interface NodeSqlite {
  readonly DatabaseSync: new (
    path: string,
  ) => {
    exec(sql: string): void;
    prepare(sql: string): { run(...values: readonly SqliteValue[]): unknown; all(): readonly SqliteRow[] };
    close(): void;
  };
}

function isNodeSqlite(module: object | undefined): module is NodeSqlite {
  return module !== undefined && 'DatabaseSync' in module;
}

function openOverNode({ DatabaseSync }: NodeSqlite, file: string): SqliteDatabase {
  const database = new DatabaseSync(file);
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, values) => {
      database.prepare(sql).run(...values);
    },
    all: (sql) => database.prepare(sql).all(),
    close: () => database.close(),
  };
}

async function openOverWasm(file: string): Promise<SqliteDatabase> {
  const { default: sqlite } = await import('node-sqlite3-wasm');
  const database = new sqlite.Database(file);
  return {
    exec: (sql) => database.exec(sql),
    run: (sql, values) => {
      database.run(sql, [...values]);
    },
    all: (sql) => database.all(sql) as readonly SqliteRow[],
    close: () => database.close(),
  };
}

/** Opens a database file with Node's own SQLite, or with the WebAssembly build where Node has none. */
export async function openSqlite(file: string): Promise<SqliteDatabase> {
  const builtIn = process.getBuiltinModule('node:sqlite');
  return isNodeSqlite(builtIn) ? openOverNode(builtIn, file) : openOverWasm(file);
}
