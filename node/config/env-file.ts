/**
 * A `.env` file, read by the rules of dotenv, one line at a time, so that no line can swallow the next. What a reader
 * may take otherwise than its writer meant it is told by its line; a value is never repeated.
 *
 * Docker compose reads the same file by rules of its own. Compared with compose 2.26, dotenv 18 differs in
 *   `#` without a space before it    cut off here, kept there
 *   `$` outside single quotes        kept here, substituted there
 *   `\` in quotes                    mostly kept here, an escape there
 *   `…`                              quotes here, text there
 * In a secret such a difference is a problem, elsewhere a warning: single quotes mean the same to both.
 */
import { isUtf8 } from 'node:buffer';
import dotenv from 'dotenv';

export interface EnvFileFinding {
  readonly line: number;
  /** the setting that it is about; null: the line has none */
  readonly name: string | null;
  readonly text: string;
}

export interface EnvFile {
  /** of the settings that are ours; others are left out */
  readonly variables: Readonly<Record<string, string>>;
  /** where each of them stands */
  readonly lines: ReadonlyMap<string, number>;
  readonly problems: readonly EnvFileFinding[];
  readonly warnings: readonly EnvFileFinding[];
}

export interface EnvFileRules {
  /** names that the node reads */
  readonly known: ReadonlySet<string>;
  readonly isSecret: (name: string) => boolean;
}

const FILE_BYTES_MAX = 65_536;
const ASSIGNMENT = /^\s*(?:export\s+)?([\w.-]+)\s*=(.*)$/s;
/** Read before the file is. */
const TOO_LATE = new Set(['NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS']);
const QUOTES = new Set(["'", '"', '`']);
/** Whatever else a line is, who wrote this meant the node. */
const MEANT = /aethel_/i;
const PREFIX = 'AETHEL_';
/** What nobody sees: line ends to some readers and not to others, blanks that are no spaces or tabs, or have no width. */
const INVISIBLE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]/;

/** Never throws. */
export function readEnvFile(bytes: Uint8Array, { known, isSecret }: EnvFileRules): EnvFile {
  const variables: Record<string, string> = {};
  const lines = new Map<string, number>();
  const problems: EnvFileFinding[] = [];
  const warnings: EnvFileFinding[] = [];
  const result = { variables, lines, problems, warnings };
  const refusal = refusalOf(bytes);
  if (refusal !== null) {
    problems.push(refusal);
    return result;
  }
  const text = new TextDecoder().decode(bytes);
  const rows = text.split(/\r\n|\n|\r/);
  const lone = /\r(?!\n)/.exec(text);
  if (lone !== null) {
    const line = text.slice(0, lone.index).split('\n').length;
    const text_ = 'a carriage return alone ends a line here, and not for docker compose';
    warnings.push({ line, name: null, text: text_ });
  }

  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at] ?? '';
    const line = at + 1;
    if (/^\s*(#|$)/.test(row)) continue;
    const [, name = '', rest = ''] = ASSIGNMENT.exec(row) ?? [];
    if (name === '') {
      const about = nameIn(row, known);
      if (about === null && !MEANT.test(row)) {
        warnings.push({ line, name: null, text: 'is not a setting (NAME=value), and is ignored' });
      } else problems.push({ line, name: about, text: 'looks like a setting and is none: write NAME=value' });
      continue;
    }
    const meant = normalized(name);
    if (meant !== name && (known.has(meant) || name.toUpperCase().startsWith(PREFIX))) {
      const about = known.has(meant) ? meant : null;
      const text =
        'has its name in other letters than AETHEL_… (capitals and underscores), and would be ignored';
      problems.push({ line, name: about, text });
      continue;
    }
    if (!known.has(name) && !name.startsWith(PREFIX)) {
      if (TOO_LATE.has(name))
        warnings.push({ line, name, text: 'has no effect here: set it in the environment' });
      at = passForeign(rows, at, rest);
      continue;
    }
    const judged = judge(row, name, rest);
    if (judged.problem !== null) problems.push({ line, name, text: judged.problem });
    for (const doubt of judged.differences)
      (isSecret(name) ? problems : warnings).push({ line, name, text: doubt });
    if (isSecret(name) && judged.isCommented) {
      warnings.push({ line, name, text: 'has a comment behind it, which does not belong to the secret' });
    }
    const before = lines.get(name);
    if (before !== undefined)
      warnings.push({ line, name, text: `was set in line ${before} already; this one counts` });
    lines.set(name, line);
    variables[name] = judged.value;
  }
  return result;

  /** Of settings that are not ours only the end matters: quotes may hold several lines. */
  function passForeign(all: readonly string[], at: number, rest: string): number {
    const quote = rest.trimStart().charAt(0);
    if (!QUOTES.has(quote) || closing(rest.trimStart(), quote) > 0) return at;
    let end = at + 1;
    while (end < all.length && closing(`${quote}${all[end] ?? ''}`, quote) < 0) end += 1;
    const last = `${quote}${all[end] ?? ''}`;
    if (
      end === all.length ||
      /[^#]/.test(
        last
          .slice(closing(last, quote) + 1)
          .trimStart()
          .charAt(0),
      )
    ) {
      const text = 'opens quotes that are not closed at the end of a line';
      warnings.push({ line: at + 1, name: null, text });
      return at;
    }
    for (let inner = at + 1; inner <= end; inner += 1) {
      const [, within = ''] = ASSIGNMENT.exec(all[inner] ?? '') ?? [];
      if (!known.has(within) && !within.startsWith(PREFIX)) continue;
      const text = `stands inside of quotes that line ${at + 1} opens, and is no setting there`;
      problems.push({ line: inner + 1, name: null, text });
    }
    return end;
  }
}

interface Judgement {
  readonly value: string;
  readonly problem: string | null;
  /** what docker compose reads otherwise */
  readonly differences: readonly string[];
  readonly isCommented: boolean;
}

function judge(row: string, name: string, rest: string): Judgement {
  const parsed = dotenv.parse(row);
  const value = Object.hasOwn(parsed, name) ? (parsed[name] ?? '') : '';
  const written = rest.trimStart();
  const quote = written.charAt(0);
  const differences: string[] = [];
  const judgement = (problem: string | null, isCommented: boolean): Judgement => ({
    value,
    problem,
    differences,
    isCommented,
  });
  if (INVISIBLE.test(rest)) return judgement('has a character that nobody sees; write the line anew', false);
  if (!QUOTES.has(quote)) {
    const comment = written.indexOf('#');
    const isCommented = comment > 0 && written.charAt(comment - 1) === ' ';
    if (comment >= 0 && !isCommented) {
      differences.push(
        'has a # without quotes or a space before it: cut off there by the node, but not by docker compose; use single quotes',
      );
    }
    if (beforeComment(written).includes('$')) differences.push(DOLLAR);
    return judgement(null, isCommented);
  }
  const end = closing(written, quote);
  if (end < 0) return judgement('opens quotes that its line does not close', false);
  const behind = written.slice(end + 1).trim();
  if (behind !== '' && !behind.startsWith('#')) return judgement('has text behind its closing quotes', false);
  const inside = written.slice(1, end);
  if (quote === '`')
    differences.push('is in backticks, which are quotes to the node and text to docker compose');
  if (quote === '"' && inside.includes('$')) differences.push(DOLLAR);
  if (quote === '"' ? /\\[^nr]/.test(inside) : quote === "'" && inside.includes("\\'")) {
    differences.push(
      'has a backslash in quotes, which docker compose takes for an escape and the node does not',
    );
  }
  return judgement(null, behind !== '');
}

const DOLLAR =
  'has a $ outside of single quotes: text to the node, a variable to docker compose; use single quotes';

function beforeComment(written: string): string {
  const comment = written.indexOf('#');
  return comment < 0 ? written : written.slice(0, comment);
}

/** Where the quotes that begin a text end, or -1; a quote behind a backslash is none. */
function closing(text: string, quote: string): number {
  for (let at = text.indexOf(quote, 1); at >= 0; at = text.indexOf(quote, at + 1)) {
    if (text.charAt(at - 1) !== '\\') return at;
  }
  return -1;
}

/** The known setting that a line without `=` begins with; its rest may be a secret, so nothing else is repeated. */
function nameIn(row: string, known: ReadonlySet<string>): string | null {
  const words = row.split(/[^\w.-]+/, 4).map(normalized);
  return words.find((word) => known.has(word)) ?? null;
}

/** The name as the node would know it. */
export function normalized(name: string): string {
  return name.toUpperCase().replace(/[-.]/g, '_');
}

function refusalOf(bytes: Uint8Array): EnvFileFinding | null {
  const refuse = (line: number, text: string): EnvFileFinding => ({ line, name: null, text });
  if (bytes.length > FILE_BYTES_MAX) return refuse(1, `the file is larger than ${FILE_BYTES_MAX} bytes`);
  if (isUtf16(bytes)) return refuse(1, 'the file is UTF-16; save it as UTF-8');
  if (isUtf8(bytes)) return null;
  let line = 1;
  for (let from = 0; from < bytes.length; line += 1) {
    const end = bytes.indexOf(0x0a, from);
    const to = end < 0 ? bytes.length : end + 1;
    if (!isUtf8(bytes.subarray(from, to))) break;
    from = to;
  }
  return refuse(line, 'is not UTF-8');
}

/** By its mark, or because every second byte of its beginning is 0, as in Latin text. */
export function isUtf16(bytes: Uint8Array): boolean {
  const pairs = Math.min(32, bytes.length >> 1);
  if (pairs < 2) return false;
  const zeros = [0, 0];
  for (let at = 0; at < pairs * 2; at += 1) if (bytes[at] === 0) zeros[at & 1] = (zeros[at & 1] ?? 0) + 1;
  const marked = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  return Math.max(...zeros) >= (marked ? pairs / 2 : pairs);
}
