// What the PDS asks of better-sqlite3, which would have to be compiled, told to the SQLite that Node itself carries.
import { DatabaseSync } from 'node:sqlite'

const CODES = { 5: 'SQLITE_BUSY', 517: 'SQLITE_BUSY_SNAPSHOT', 261: 'SQLITE_BUSY_RECOVERY', 2067: 'SQLITE_CONSTRAINT_UNIQUE' }

export default class Database {
  constructor(path, { timeout = 5000 } = {}) {
    this.sqlite = named(() => new DatabaseSync(path, { timeout }))
  }

  prepare(sql) {
    return new Statement(named(() => this.sqlite.prepare(sql)))
  }

  pragma(text) {
    return this.prepare(`PRAGMA ${text}`).all()
  }

  close() {
    this.sqlite.close()
  }
}

class Statement {
  constructor(statement) {
    this.statement = statement
    this.reader = statement.columns().length > 0
  }

  run(values = []) {
    return named(() => this.statement.run(...values))
  }

  all(values = []) {
    return named(() => this.statement.all(...values).map(row))
  }

  *iterate(values = []) {
    for (const each of this.statement.iterate(...values)) yield row(each)
  }
}

// Files come as bytes in both, but only a Buffer knows the methods that callers may expect.
function row(given) {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, value instanceof Uint8Array ? Buffer.from(value) : value]),
  )
}

// Both throw; the PDS knows an error by better-sqlite3's name for it, and tries again where the database was busy.
function named(act) {
  try {
    return act()
  } catch (error) {
    if (error.code === 'ERR_SQLITE_ERROR') error.code = CODES[error.errcode] ?? CODES[error.errcode & 255] ?? 'SQLITE_ERROR'
    throw error
  }
}
