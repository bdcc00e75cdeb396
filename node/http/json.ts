/**
 * JSON that means the same after reading as before. JSON.parse rounds what a double cannot hold (12345678901234567890
 * becomes …8000) and takes broken UTF-8 for U+FFFD; a store must do neither silently, so both are refused here.
 */
import { HttpProblem } from './problems.ts';

/** Nesting of a whole body. JSON.stringify recurses; this keeps every reader of a value far from its stack's end. */
const JSON_DEPTH_MAX = 128;

/** Longer number tokens are refused: no double needs more than 770 digits to be written exactly. */
const NUMBER_CHARS_MAX = 800;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function parseJsonExactly(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = strictUtf8.decode(bytes);
  } catch {
    throw new HttpProblem('malformed-json', 'The body is not UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new HttpProblem(
      'malformed-json',
      `The body is not JSON: ${error instanceof Error ? error.message : ''}`,
    );
  }
  assertFaithful(text);
  return value;
}

/** One pass over valid JSON text: depth, and every number outside strings. */
function assertFaithful(text: string): void {
  let depth = 0;
  let at = 0;
  while (at < text.length) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth += 1;
        if (depth > JSON_DEPTH_MAX) {
          throw new HttpProblem('bad-request', `The body is nested deeper than ${JSON_DEPTH_MAX} levels.`);
        }
        at += 1;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth -= 1;
        at += 1;
        break;
      default: {
        const end = endOfNumber(text, at);
        if (end > at && !isExactNumber(text.slice(at, end))) {
          throw new HttpProblem(
            'bad-request',
            `The number ${text.slice(at, Math.min(end, at + 40))} would lose digits as a double; send it as a string.`,
          );
        }
        at = Math.max(end, at + 1);
      }
    }
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Whether a JSON number keeps its decimal value when it is read as a double and written again.
 *
 *   1.0, 1e2, 0.1 → yes        12345678901234567890, 0.1000000000000000055, 1e400, 1e-400 → no
 */
export function isExactNumber(token: string): boolean {
  // 15 significant digits always survive, whatever they are.
  if (token.length <= 15 && !/[eE]/.test(token)) return true;
  if (token.length > NUMBER_CHARS_MAX) return false;
  const written = String(Number(token));
  if (written === token) return true;
  if (!Number.isFinite(Number(token))) return false;
  return normalForm(token) === normalForm(written);
}

/** Decimal digits without zeros at either end, and the power of ten: `-12300e-1` → `-123e1`; zero → `0`. */
function normalForm(token: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token);
  if (parts === null) return token;
  const fraction = parts[3] ?? '';
  const digits = (parts[2] ?? '') + fraction;
  let start = 0;
  let end = digits.length;
  while (start < end && digits[start] === '0') start += 1;
  while (end > start && digits[end - 1] === '0') end -= 1;
  if (start === end) return '0';
  const exponent = Number(parts[4] ?? '0') - fraction.length + (digits.length - end);
  return `${parts[1] ?? ''}${digits.slice(start, end)}e${exponent}`;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) break;
    at += code === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

/** `start` itself where no number starts: the letters of true, false and null, commas, colons, blanks. */
function endOfNumber(text: string, start: number): number {
  let at = start;
  if (text.charCodeAt(at) === MINUS || isDigit(text.charCodeAt(at))) {
    at += 1;
    while (at < text.length && isOfNumber(text.charCodeAt(at))) at += 1;
  }
  return at;
}

const MINUS = 0x2d;

/** 0-9 + - . e E */
function isOfNumber(code: number): boolean {
  return isDigit(code) || code === MINUS || code === 0x2b || code === 0x2e || code === 0x65 || code === 0x45;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
