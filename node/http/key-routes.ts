/**
 * Keys, read and written: the hot routes. They need nothing of Express, which mounts them like all others; the short
 * way reaches the same handlers without it.
 */
import type { IncomingMessage } from 'node:http';
import type { ProofDocument, ReadEntry } from '../ports.ts';
import type { WriteEntry } from '../protocol/border.ts';
import {
  prepareJson,
  sendJson,
  sendNotModified,
  sendPrepared,
  type Headers,
  type Prepared,
} from './answer.ts';
import { readJson } from './body.ts';
import { etag, ifMatch, ifNoneMatch, includes, preconditionOf } from './etags.ts';
import type { ExactJson } from './json.ts';
import { HttpProblem, describeIssues } from './problems.ts';
import { hasQuery, parseQuery } from './query.ts';
import type { PlainHandler, RouteContext } from './route-context.ts';
import { BatchRequest, EntryQuery, Key, NoQuery, PutRequest } from './schemas.ts';
import { HEALTHY } from './starting.ts';
import { absentText, entryResponseText, proofText } from './views.ts';
import { ackDemandOf, write, writtenOf } from './writes.ts';

export interface KeyRoutes {
  readonly health: PlainHandler;
  readonly get: PlainHandler;
  readonly put: PlainHandler;
  readonly remove: PlainHandler;
  readonly batch: PlainHandler;
}

export function keyRoutes(context: RouteContext): KeyRoutes {
  const { api, assertWriter, limits } = context;

  return {
    health(request, response) {
      if (hasQuery(request)) parseQuery(request, NoQuery);
      sendJson(response, 200, HEALTHY);
    },

    get(request, response, key) {
      const isProofWanted = hasQuery(request) && parseQuery(request, EntryQuery).proof === '1';
      assertKey(key);
      const match = ifMatch(request);
      const noneMatch = ifNoneMatch(request);
      const show = (entry: ReadEntry | null, proof: ProofDocument | null): void => {
        const extraText = proof === null ? '' : proofText(proof);
        if (entry === null || entry.value === null) throw absent(entry, extraText);
        if (match !== null && !includes(match, entry.version)) throw unmatched(entry.version);
        // A proof is of the root, which changes with other keys too: the version would be no tag for this answer.
        if (proof !== null) return sendJson(response, 200, entryResponseText(entry, extraText));
        if (includes(noneMatch, entry.version)) sendNotModified(response, tagged(entry));
        else sendPrepared(response, 200, answerOf(entry));
      };
      const read = api.read(key);
      // Both are taken in this turn, so they tell of the same state.
      if (isProofWanted)
        return Promise.all([read, api.proof(key)]).then(([entry, proof]) => show(entry, proof));
      if (read instanceof Promise) return read.then((entry) => show(entry, null));
      return show(read, null);
    },

    async put(request, response, key) {
      assertWriter(request);
      const acks = ackDemandOf(request);
      assertKey(key);
      const precondition = preconditionOf(request);
      const json = await readJson(request, limits.bodyBytesMax);
      const body = PutRequest.safeParse(json.value);
      if (!body.success) throw new HttpProblem('bad-request', `Body: ${describeIssues(body.error.issues)}`);
      const value = valueText(json, body.data.value);
      const outcome = await write(context, [{ key, value }], precondition, acks);
      const { written, root, acks: acked } = writtenOf(outcome);
      const [one] = written;
      if (one === undefined) throw new Error('a write of one entry was answered with none');
      const text = writeText(key, one.version, root, acked);
      sendJson(response, one.created ? 201 : 200, text, { ETag: etag(one.version) });
    },

    async remove(request, response, key) {
      assertWriter(request);
      const acks = ackDemandOf(request);
      assertKey(key);
      const precondition = preconditionOf(request);
      const outcome = await write(context, [{ key, value: null }], precondition, acks);
      const { written, root, acks: acked } = writtenOf(outcome);
      const [one] = written;
      if (one === undefined) throw new Error('a write of one entry was answered with none');
      sendJson(response, 200, writeText(key, one.version, root, acked));
    },

    async batch(request, response) {
      assertWriter(request);
      const acks = ackDemandOf(request);
      assertUnconditional(request);
      const entries = readBatch(await readJson(request, limits.bodyBytesMax));
      const { written, root, acks: acked } = writtenOf(await write(context, entries, null, acks));
      sendJson(
        response,
        200,
        JSON.stringify({
          success: true,
          entries: written.map(({ key, version, created }) => ({ key, version, created })),
          count: written.length,
          merkle_root: root,
          acks: acked,
        }),
      );
    },
  };

  function assertKey(key: string): void {
    // The UTF-8 of n code units takes at most 3n bytes.
    const isShort = key.length > 0 && key.length * 3 <= limits.keyBytesMax;
    if (isShort && key.isWellFormed()) return;
    const parsed = Key.safeParse(key);
    if (!parsed.success)
      throw new HttpProblem('invalid-key', `The key ${describeIssues(parsed.error.issues)}.`);
    if (Buffer.byteLength(key) > limits.keyBytesMax) {
      throw new HttpProblem('invalid-key', `The key is longer than ${limits.keyBytesMax} bytes of UTF-8.`);
    }
  }

  /** A value as it is kept: compact JSON text. */
  function valueText(json: ExactJson, value: unknown): string {
    const text = json.textOf(value);
    if (Buffer.byteLength(text) > limits.valueBytesMax) {
      throw new HttpProblem('too-large', `The value is larger than ${limits.valueBytesMax} bytes of JSON.`);
    }
    return text;
  }

  function readBatch(json: ExactJson): readonly WriteEntry[] {
    const batch = BatchRequest.safeParse(json.value);
    if (!batch.success) throw new HttpProblem('bad-request', `Body: ${describeIssues(batch.error.issues)}`);
    const keys = new Set<string>();
    return batch.data.entries.map((entry) => {
      const { key } = entry;
      assertKey(key);
      if (keys.has(key))
        throw new HttpProblem('bad-request', `Body: the key ${key.slice(0, 80)} is there twice.`);
      keys.add(key);
      return { key, value: 'delete' in entry ? null : valueText(json, entry.value) };
    });
  }
}

/** What is read again and again is the same entry, and the same answer. */
const answers = new WeakMap<ReadEntry, Prepared>();

function answerOf(entry: ReadEntry): Prepared {
  const known = answers.get(entry);
  if (known !== undefined) return known;
  const answer = prepareJson(entryResponseText(entry, ''), tagged(entry));
  answers.set(entry, answer);
  return answer;
}

function tagged({ version }: ReadEntry): Headers {
  return { ETag: etag(version), 'Cache-Control': 'no-cache' };
}

/** A condition on a batch would be on the whole state's root, which is not offered; to ignore it would be to lie. */
function assertUnconditional(request: IncomingMessage): void {
  for (const name of ['If-Match', 'If-None-Match']) {
    if (request.headers[name.toLowerCase()] === undefined) continue;
    throw new HttpProblem('bad-request', `${name} is not for batches; write the key on its own.`);
  }
}

/** A tombstone that won over concurrent writes is no value, but its siblings are told. */
function absent(entry: ReadEntry | null, extraText: string): HttpProblem {
  const detail =
    entry === null
      ? 'This key has no value here.'
      : 'This key was deleted, while others wrote it: their writes are kept as siblings until a write replaces them.';
  const texts = [entry === null ? '' : absentText(entry), extraText].filter((text) => text !== '');
  return new HttpProblem('not-found', detail, { extraText: texts.join(',') });
}

function unmatched(version: string): HttpProblem {
  return new HttpProblem('precondition-failed', `The key is at version ${version}.`, { extra: { version } });
}

function writeText(key: string, version: string, root: string, acks: number): string {
  return `{"success":true,"key":${JSON.stringify(key)},"version":"${version}","merkle_root":"${root}","acks":${acks}}`;
}
