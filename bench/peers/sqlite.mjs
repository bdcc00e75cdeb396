/**
 * better-sqlite3 for whoever imports it, over the SQLite that Node has built in. The package itself comes as a binary from
 * elsewhere or compiles for minutes, by an install script, which we do not run; both call the same C library without waiting in between.
 *
 * Only what @canvas-js/modeldb-sqlite asks for. To be imported before it is.
 */
import { registerHooks } from 'node:module';
import { DatabaseSync } from 'node:sqlite';

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'better-sqlite3'
      ? { url: import.meta.url, format: 'module', shortCircuit: true }
      : next(specifier, context),
});

export default class Database {
  #database;
  #statements = new Map();

  constructor(path) {
    this.memory = path === ':memory:';
    this.#database = new DatabaseSync(path);
  }

  exec(sql) {
    this.#database.exec(sql);
  }

  /** Kept: some statements are prepared anew for every call. */
  prepare(sql) {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setAllowUnknownNamedParameters(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  transaction(run) {
    return (...args) => {
      this.#database.exec('BEGIN');
      try {
        const result = run(...args);
        this.#database.exec('COMMIT');
        return result;
      } catch (error) {
        this.#database.exec('ROLLBACK');
        throw error;
      }
    };
  }

  close() {
    this.#database.close();
  }
}
