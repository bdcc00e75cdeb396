/**
 * Keys, read and written: the hot routes. They need nothing of Express, which mounts them like all others; the short
 * way reaches the same handlers without it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ProofDocument, ReadEntry } from '../ports.ts';
import type { AckDemand, Precondition, WriteEntry, Written } from '../protocol/border.ts';
import {
  prepareJson,
  sendJson,
  sendNotModified,
  sendPrepared,
  type Headers,
  type Prepared,
} from './answer.ts';
import { readJson } from './body.ts';
import { etag, ifMatch, ifNoneMatch, includes, preconditionOf, weakTagsNote } from './etags.ts';
import { Replays } from './idempotency.ts';
import type { ExactJson } from './json.ts';
import { HttpProblem, describeIssues } from './problems.ts';
import { hasQuery, parseQuery } from './query.ts';
import type { PlainHandler, RouteContext } from './route-context.ts';
import { BatchRequest, EntryQuery, Key, NoQuery, PutRequest } from './schemas.ts';
import { HEALTHY } from './starting.ts';
import { absentText, entryResponseText, proofText, replacedText } from './views.ts';
import { ackDemandOf, LOCAL, write, writtenOf } from './writes.ts';

export interface KeyRoutes {
  readonly health: PlainHandler;
  readonly get: PlainHandler;
  readonly put: PlainHandler;
  readonly remove: PlainHandler;
  readonly batch: PlainHandler;
}

export function keyRoutes(context: RouteContext): KeyRoutes {
  const { api, assertWriter, limits } = context;
  const replays = new Replays(limits.replays);

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
        if (match !== null && !includes(match, entry.version)) throw unmatched(request, entry.version);
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
      assertNoDots(key);
      const precondition = preconditionOf(request);
      const json = await readJson(request, limits.bodyBytesMax);
      const body = PutRequest.safeParse(json.value);
      if (!body.success) throw new HttpProblem('bad-request', `Body: ${describeIssues(body.error.issues)}`);
      const value = valueText(json, body.data.value);
      await writeOne(request, response, { key, value }, precondition, acks);
    },

    async remove(request, response, key) {
      assertWriter(request);
      const acks = ackDemandOf(request);
      assertKey(key);
      const precondition = preconditionOf(request);
      await writeOne(request, response, { key, value: null }, precondition, acks);
    },

    async batch(request, response) {
      assertWriter(request);
      const acks = ackDemandOf(request);
      assertUnconditional(request);
      const entries = readBatch(await readJson(request, limits.bodyBytesMax));
      const reply = await replays.once(
        request,
        () => JSON.stringify(entries),
        async () => {
          const {
            written,
            root,
            acks: acked,
          } = writtenOf(request, await write(context, entries, null, acks));
          const text =
            `{"success":true,"entries":[${written.map(writtenText).join(',')}],"count":${written.length},` +
            `"merkle_root":"${root}","acks":${acked}}`;
          return { status: 200, text, headers: NO_HEADERS };
        },
      );
      sendJson(response, reply.status, reply.text, reply.headers);
    },
  };

  async function writeOne(
    request: IncomingMessage,
    response: ServerResponse,
    entry: WriteEntry,
    precondition: Precondition | null,
    acks: AckDemand | null,
  ): Promise<void> {
    const reply = await replays.once(
      request,
      () => entry.value ?? '',
      async () => {
        const outcome = writtenOf(request, await write(context, [entry], precondition, acks));
        const [one] = outcome.written;
        if (one === undefined) throw new Error('a write of one entry was answered with none');
        const text = writeText(one, outcome, precondition !== null);
        if (entry.value === null) return { status: 200, text, headers: NO_HEADERS };
        return { status: one.created ? 201 : 200, text, headers: { ETag: etag(one.version) } };
      },
    );
    sendJson(response, reply.status, reply.text, reply.headers);
  }

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
      if ('delete' in entry) return { key, value: null };
      assertNoDots(key);
      return { key, value: valueText(json, entry.value) };
    });
  }
}

/**
 * `.` and `..` are steps in a path to every client that follows the URL standard, also as `%2E`: nobody could read what is written there. Where
 * one came from a member of before, a listing shows it and a batch deletes it.
 */
function assertNoDots(key: string): void {
  if (key !== '.' && key !== '..') return;
  throw new HttpProblem(
    'invalid-key',
    `The key ${key} is a step in a path, not a name, to clients that follow the URL standard; it can be deleted, but not written.`,
  );
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

function unmatched(request: IncomingMessage, version: string): HttpProblem {
  const detail = `The key is at version ${version}.${weakTagsNote(request)}`;
  return new HttpProblem('precondition-failed', detail, { extra: { version } });
}

const NO_HEADERS: Headers = {};

function writeText(
  { key, version, replaced }: Written,
  { root, acks }: { readonly root: string; readonly acks: number },
  isConditional: boolean,
): string {
  const more =
    (isConditional ? `,"condition":"${LOCAL}"` : '') +
    (replaced.length === 0 ? '' : `,"replaced":${replacedText(replaced)}`);
  return `{"success":true,"key":${JSON.stringify(key)},"version":"${version}","merkle_root":"${root}","acks":${acks}${more}}`;
}

function writtenText({ key, version, created, replaced }: Written): string {
  const more = replaced.length === 0 ? '' : `,"replaced":${replacedText(replaced)}`;
  return `{"key":${JSON.stringify(key)},"version":"${version}","created":${created}${more}}`;
}
