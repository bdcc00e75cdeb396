/**
 * `node scripts/verify-proof.ts proof.json`: judges a proof document offline. It needs the document and, to know whose
 * word it takes, the public key of the node that signed the root; no node, no network, no configuration.
 */
import { createReadStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { isNodeId, nodeIdOf } from '../node/protocol/ids.ts';
import type { NodeId } from '../node/protocol/ids.ts';
import { verifyDocument } from '../node/protocol/state/proof-document.ts';
import type { DocumentVerdict } from '../node/protocol/state/proof-document.ts';

const HELP = `Usage: node scripts/verify-proof.ts [options] [FILE]

Checks offline what a node's signed root says about one key: the node's signature
over the root, the Merkle path from the root to the key, every record's id and its
author's signature, and which record wins.

FILE holds a proof document, or the API's answer to a read with proof=1, of which
only the document in its field "proof" is judged. "-" or nothing reads standard input.

  --peer-id ID      the node that must have signed the root (12D3KooW…)
  --public-key HEX  the same as its Ed25519 public key, 64 hex digits
  --author ID       the node that must have written the winning record
  --help            this text

Without --peer-id or --public-key the document says who signed it; make sure that you
trust that node.

Exit status: 0 valid, 1 invalid, 2 wrong usage or nothing to read.`;

const EXIT_VALID = 0;
const EXIT_INVALID = 1;
const EXIT_USAGE = 2;
/** Above the text of the largest document: 1024 records of 77 kB in base64. Raising it costs the verifier memory. */
const TEXT_BYTES_MAX = 134_217_728;

class UsageError extends Error {}

async function main(args: readonly string[]): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help === true) {
      console.log(HELP);
      return EXIT_VALID;
    }
    const [file = '-', ...others] = positionals;
    if (others.length > 0) throw new UsageError('one file, please');
    const peerId = signerOf(values['peer-id'], values['public-key']);
    const author = values.author === undefined ? null : nodeId(values.author, '--author');
    const verdict = judge(await read(file), peerId, author);
    console.log(verdict.ok ? describe(verdict, peerId !== null) : `invalid: ${verdict.reason}`);
    return verdict.ok ? EXIT_VALID : EXIT_INVALID;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\nTry --help.`);
    return EXIT_USAGE;
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        'peer-id': { type: 'string' },
        'public-key': { type: 'string' },
        author: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

function signerOf(peerId: string | undefined, publicKey: string | undefined): NodeId | null {
  if (peerId !== undefined && publicKey !== undefined)
    throw new UsageError('--peer-id and --public-key say the same; give one');
  if (peerId !== undefined) return nodeId(peerId, '--peer-id');
  if (publicKey === undefined) return null;
  if (!/^[0-9a-f]{64}$/i.test(publicKey)) throw new UsageError('--public-key is not 64 hex digits');
  return nodeIdOf(Buffer.from(publicKey, 'hex'));
}

function nodeId(text: string, option: string): NodeId {
  if (!isNodeId(text)) throw new UsageError(`${option} is not the peer id of an Ed25519 key`);
  return text;
}

async function read(file: string): Promise<string> {
  if (file === '-' && process.stdin.isTTY)
    throw new UsageError('nothing to read: give a file, or pipe one in');
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
      const block = chunk as Buffer;
      bytes += block.length;
      if (bytes > TEXT_BYTES_MAX) throw new UsageError(`more than ${TEXT_BYTES_MAX} bytes`);
      chunks.push(block);
    }
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`cannot read: ${messageOf(error)}`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function judge(text: string, peerId: NodeId | null, author: NodeId | null): DocumentVerdict {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'The text is not JSON.' };
  }
  const verdict = verifyDocument(documentIn(json), peerId);
  if (!verdict.ok || author === null) return verdict;
  if (verdict.winner === null) return { ok: false, reason: `There is no record, so none of ${author}.` };
  if (verdict.winner.dot.author === author) return verdict;
  return { ok: false, reason: `The record is written by ${verdict.winner.dot.author}, not by ${author}.` };
}

/** The document itself, or the one inside an answer of the API, which has no version. */
function documentIn(json: unknown): unknown {
  if (typeof json !== 'object' || json === null || !('proof' in json) || 'path' in json) return json;
  return json.proof;
}

function describe(verdict: Extract<DocumentVerdict, { ok: true }>, isExpected: boolean): string {
  const { key, state, winner, siblings, signed } = verdict;
  const name = printable(JSON.stringify(key));
  const facts = {
    value: `the key ${name} has the value ${printable(winner?.value ?? '')}`,
    tombstone: `the key ${name} was deleted`,
    absent: `nothing is known of the key ${name}`,
  };
  return [
    `valid: ${facts[state]}`,
    ...(winner === null
      ? []
      : [`author: ${winner.dot.author}`, `written: ${dateOf(winner.stamp.wallMs)}`, `version: ${winner.id}`]),
    siblings.length === 0
      ? 'conflict: no'
      : `conflict: yes, ${siblings.map(({ value, dot }) => `${printable(value ?? 'deleted')} by ${dot.author}`).join('; ')}`,
    `root: ${signed.root}`,
    `signed: ${dateOf(signed.timestamp)} by ${signed.peerId}${isExpected ? '' : ' (nobody was expected: make sure that you trust this node)'}`,
  ].join('\n');
}

/** JSON text on one line, without what moves a terminal's cursor or turns the text around; such is only inside strings. */
function printable(json: string): string {
  const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return json
    .replace(/[\t\n\r]+/g, ' ')
    .replace(/[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g, escape);
}

/** A stamp may be beyond what Date knows. */
function dateOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms after 1970` : date.toISOString();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main(process.argv.slice(2));
