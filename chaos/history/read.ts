/**
 * A history from a file, line by line, whoever wrote it: as strict as the schema, and bounded, so that a file of any size
 * is read in little memory and a hostile one is refused.
 */
import { createReadStream } from 'node:fs';
import { HistoryLine } from './line.ts';

/** A page of 1000 entries with values of 4 KiB. */
const LINE_BYTES_MAX = 4 * 1024 * 1024;
/** A day of 200 lines a second. */
const LINES_MAX = 20_000_000;
const NEWLINE = 0x0a;

/** What is wrong, and in which line. */
export class HistoryUnreadableError extends Error {
  readonly code = 'history_unreadable';
  readonly line: number;

  constructor(line: number, what: string, options?: ErrorOptions) {
    super(`line ${line}: ${what}`, options);
    this.name = 'HistoryUnreadableError';
    this.line = line;
  }
}

/** Throws HistoryUnreadableError; what the file system says comes through as it is. */
export async function* readHistory(file: string): AsyncGenerator<HistoryLine, void, undefined> {
  let number = 0;
  for await (const bytes of rows(createReadStream(file))) {
    number += 1;
    if (number > LINES_MAX) throw new HistoryUnreadableError(number, `more than ${LINES_MAX} lines`);
    yield parseLine(bytes, number);
  }
}

/** @param number of the line, for the error */
export function parseLine(bytes: Uint8Array, number: number): HistoryLine {
  let found: unknown;
  try {
    found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new HistoryUnreadableError(number, 'not JSON in UTF-8', { cause: error });
  }
  const parsed = HistoryLine.safeParse(found);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new HistoryUnreadableError(
    number,
    `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'no history'}`,
  );
}

async function* rows(source: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array, void, undefined> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  let number = 1;
  for await (const chunk of source) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, end)]);
      pieces = [];
      held = 0;
      from = end + 1;
      number += 1;
    }
    held += chunk.length - from;
    if (held > LINE_BYTES_MAX)
      throw new HistoryUnreadableError(number, `longer than ${LINE_BYTES_MAX} bytes`);
    if (from < chunk.length) pieces.push(chunk.subarray(from));
  }
  if (held > 0) throw new HistoryUnreadableError(number, 'cut short: it does not end');
}
