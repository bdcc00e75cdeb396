/**
 * How a store fails. Callers tell the kinds apart by `name` and `code`, so that no room has to import this one.
 */

/** The disk refused: nothing of the batch was kept. `code` is the system's (`ENOSPC`, `EIO`, …), LMDB's (`MDB_PANIC`) or `CLOSED`. */
export class StorageFailedError extends Error {
  override readonly name = 'StorageFailedError';
  readonly code: string;
  readonly detail: string;

  constructor(facts: { readonly code: string; readonly detail: string }, options?: ErrorOptions) {
    super(`the store failed (${facts.code}): ${facts.detail}`, options);
    this.code = facts.code;
    this.detail = facts.detail;
  }
}

/** Bytes on the disk are not the bytes that were written. `slot` is null where it is not one record. */
export class StorageCorruptError extends Error {
  override readonly name = 'StorageCorruptError';
  readonly code = 'CORRUPT';
  readonly slot: number | null;

  constructor(facts: { readonly slot: number | null; readonly detail: string }, options?: ErrorOptions) {
    super(
      `the store is corrupt${facts.slot === null ? '' : ` at slot ${facts.slot}`}: ${facts.detail}`,
      options,
    );
    this.slot = facts.slot;
  }
}

/** The directory holds a store of a version that this program does not read. */
export class StorageFormatError extends Error {
  override readonly name = 'StorageFormatError';
  readonly code = 'FORMAT';

  constructor(facts: { readonly dir: string; readonly found: string; readonly known: string }) {
    super(`${facts.dir} holds a store of format "${facts.found}"; this program reads "${facts.known}"`);
  }
}

/** Another living process has the store open. */
export class StorageLockedError extends Error {
  override readonly name = 'StorageLockedError';
  readonly code = 'LOCKED';

  constructor(facts: { readonly dir: string }) {
    super(`${facts.dir} is in use by another process; two nodes must not share a state directory`);
  }
}
