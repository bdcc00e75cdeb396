/**
 * How many records a store should hold, and the sum of their checksums: kept beside them, in the same commits, so that
 * a record is missed even when nothing of it is left to be read, and an old copy is not taken for the newest.
 */
export interface Tally {
  readonly records: number;
  /** of 32-bit checksums, modulo 2^48 */
  readonly sum: number;
}

const MODULUS = 2 ** 48;

export const TALLY_ZERO: Tally = { records: 0, sum: 0 };

/** Where the tally itself is lost: unlike whatever is found, however much is committed. */
export const TALLY_LOST: Tally = { records: -(2 ** 40), sum: 0 };

export function withRecord({ records, sum }: Tally, checksum: number): Tally {
  return { records: records + 1, sum: (sum + checksum) % MODULUS };
}

export function withoutRecord({ records, sum }: Tally, checksum: number): Tally {
  return { records: records - 1, sum: (sum - checksum + MODULUS) % MODULUS };
}

/** As `withRecord` for a million records in a row, without an object for each. */
export class RunningTally implements Tally {
  records = 0;
  sum = 0;

  add(checksum: number): void {
    this.records += 1;
    this.sum = (this.sum + checksum) % MODULUS;
  }
}

/** What has to be added to `to` to get `from`. */
export function difference(from: Tally, to: Tally): Tally {
  return { records: from.records - to.records, sum: (from.sum - to.sum + MODULUS) % MODULUS };
}

/** Of a loss whose extent is not known, beside the records that are: more than any store holds, and it stays until that is mended. */
export const MISSING_UNKNOWN = 2 ** 40;

/** How many records are missing, beside those that are damaged; null where that cannot be told. */
export function missingBy(claimed: Tally, found: Tally, damaged: number): number | null {
  const missing = claimed.records - found.records - damaged;
  return claimed.records < 0 || missing <= 0 || missing >= MISSING_UNKNOWN / 2 ? null : missing;
}

/**
 * What is wrong with a store that should hold `claimed` and holds `found`, as a sentence; null when nothing is.
 *
 * @param damaged records that are there, but are not what was written: their checksums say nothing
 */
export function faultOfTally(claimed: Tally, found: Tally, damaged: number): string | null {
  if (claimed.records < 0) return 'how many records should be there is lost';
  const missing = claimed.records - found.records - damaged;
  if (missing >= MISSING_UNKNOWN / 2)
    return 'how many records should be there is not known, a part of the journal is lost';
  if (missing !== 0) return `${claimed.records} records should be there, ${found.records + damaged} are`;
  if (damaged === 0 && claimed.sum !== found.sum) return 'the records are not those that were written last';
  return null;
}
