/**
 * OpenAPI 3.1 of the contract, made of the schemas that the routes check with. One table row per call.
 *
 * @see https://spec.openapis.org/oas/v3.1.0
 */
import { z } from 'zod';
import { statusOf, titleOf } from './problems.ts';
import type { ProblemSlug } from './problems.ts';
import * as schemas from './schemas.ts';

export interface Call {
  readonly method: 'get' | 'put' | 'post' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly query: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, z.ZodType | string>>;
  /** beside `ANYWHERE` and `starting` */
  readonly problems: readonly ProblemSlug[];
  readonly conditions?: readonly ('If-Match' | 'If-None-Match')[];
}

/** What the server answers before it looks at the path, and a query that the call does not know. */
const ANYWHERE: readonly ProblemSlug[] = [
  'bad-request',
  'request-timeout',
  'expectation-failed',
  'headers-too-large',
];
/** Answered even while the node starts; every other call is a problem until then. */
const EARLY: ReadonlySet<string> = new Set(['/health', '/ready']);
/** Answered however many connections there are; every other call may be a problem then. */
const VITAL: ReadonlySet<string> = new Set([...EARLY, '/api/lattice/p2p/status']);
/** Writes and operator calls: the bearer token where one is set, else only this machine. */
const GUARDED: readonly ProblemSlug[] = ['unauthorized', 'forbidden'];
const WRITING: readonly ProblemSlug[] = [
  ...GUARDED,
  'idempotency-key-reused',
  'internal',
  'stopping',
  'healing',
  'storage-failed',
  'storage-full',
  'bad-clock',
  'identity-in-use',
  'too-few-members',
  'too-few-acks',
];
/** What reads may come to while the store is being put right. */
const READING: readonly ProblemSlug[] = ['internal', 'healing', 'storage-failed', 'storage-full'];
const WITH_BODY: readonly ProblemSlug[] = ['malformed-json', 'unsupported-media-type', 'too-large'];
const WITH_KEY: readonly ProblemSlug[] = ['invalid-key', 'invalid-encoding', 'precondition-failed'];

const { NoQuery, WriteQuery } = schemas;
const KEY_PATH = '/api/lattice/state/{key}';

export const CALLS: readonly Call[] = [
  {
    method: 'get',
    path: '/health',
    summary: 'The process lives',
    query: NoQuery,
    answers: { 200: schemas.HealthResponse },
    problems: [],
  },
  {
    method: 'get',
    path: '/ready',
    summary: 'Started, store open, clock sane, a lung up; 503 with reasons otherwise',
    query: NoQuery,
    answers: { 200: schemas.ReadyResponse, 503: schemas.ReadyResponse },
    problems: ['internal'],
  },
  {
    method: 'get',
    path: '/api/lattice/p2p/status',
    summary: 'Both lungs, the mode, the peers',
    query: NoQuery,
    answers: { 200: schemas.StatusResponse },
    problems: ['internal'],
  },
  {
    method: 'get',
    path: '/api/lattice/p2p/identity',
    summary: 'Who this node is and where it listens',
    query: NoQuery,
    answers: { 200: schemas.IdentityResponse },
    problems: ['internal'],
  },
  {
    method: 'get',
    path: '/api/lattice/nodes',
    summary: 'The HTTP peers known',
    query: NoQuery,
    answers: { 200: schemas.NodesResponse },
    problems: ['internal'],
  },
  {
    method: 'get',
    path: '/api/lattice/state',
    summary: 'The signed root, its ETag; held with wait=; or a page of entries with entries=1',
    query: schemas.StateQuery,
    answers: {
      200: z.union([schemas.StateResponse, schemas.EntriesResponse]),
      304: 'The root is still the one named',
    },
    problems: READING,
    conditions: ['If-None-Match'],
  },
  {
    method: 'post',
    path: '/api/lattice/state',
    summary: 'Writes and deletes, all accepted or none; a delete of what is not there is 404 for all of them',
    query: WriteQuery,
    body: schemas.BatchRequest,
    answers: { 200: schemas.BatchResponse },
    problems: [...WRITING, ...WITH_BODY, 'invalid-key', 'not-found'],
  },
  {
    method: 'get',
    path: KEY_PATH,
    summary: 'The value of a key, and its siblings when writes conflict; proof=1 adds a proof',
    query: schemas.EntryQuery,
    answers: { 200: schemas.EntryResponse, 304: 'The version is still the one named' },
    problems: [...READING, ...WITH_KEY, 'not-found'],
    conditions: ['If-Match', 'If-None-Match'],
  },
  {
    method: 'put',
    path: KEY_PATH,
    summary: 'Writes a key; conditional with If-Match, If-None-Match',
    query: WriteQuery,
    body: schemas.PutRequest,
    answers: { 200: schemas.WriteResponse, 201: schemas.WriteResponse },
    problems: [...WRITING, ...WITH_BODY, ...WITH_KEY],
    conditions: ['If-Match', 'If-None-Match'],
  },
  {
    method: 'delete',
    path: KEY_PATH,
    summary: 'Deletes a key, leaves a tombstone',
    query: WriteQuery,
    answers: { 200: schemas.WriteResponse },
    problems: [...WRITING, ...WITH_KEY, 'not-found'],
    conditions: ['If-Match', 'If-None-Match'],
  },
  {
    method: 'post',
    path: '/api/lattice/sync/switch',
    summary: 'Forces a lung, or gives the choice back',
    query: schemas.SwitchQuery,
    answers: { 200: schemas.SwitchResponse },
    problems: [...GUARDED, 'internal'],
  },
  {
    method: 'get',
    path: '/api/lattice/events',
    summary: 'Server-sent events: a snapshot, then every change',
    query: NoQuery,
    answers: { 200: 'text/event-stream of EventEnvelope' },
    problems: ['stopping', 'internal'],
  },
  {
    method: 'get',
    path: '/metrics',
    summary: 'Prometheus text',
    query: NoQuery,
    answers: { 200: 'Prometheus text' },
    problems: ['internal'],
  },
  {
    method: 'get',
    path: '/openapi.json',
    summary: 'This document',
    query: NoQuery,
    answers: { 200: 'OpenAPI 3.1' },
    problems: [],
  },
];

/** Every status that the call may be answered with. HEAD is answered as GET, and OPTIONS with 204. */
export function statusesOf(call: Call): readonly number[] {
  const problems = problemsOf(call).map(statusOf);
  return [...new Set([...Object.keys(call.answers).map(Number), ...problems])].sort((a, b) => a - b);
}

function problemsOf({ path, problems }: Call): readonly ProblemSlug[] {
  const inTrouble: ProblemSlug[] = [];
  if (!EARLY.has(path)) inTrouble.push('starting');
  if (!VITAL.has(path)) inTrouble.push('unavailable');
  return [...new Set([...ANYWHERE, ...inTrouble, ...problems])];
}

export function openApiDocument(): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const call of CALLS) {
    const path = (paths[call.path] ??= {});
    path[call.method] = operation(call);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Aethel Lattice',
      version: '1',
      description:
        'A replicated, Merkle-rooted state over two lungs. Any other path is 404, any other method 405; ' +
        'POST /api/lattice/sync is for members, who speak the binary exchange of docs/PROTOCOL.md.',
    },
    paths,
    components: { securitySchemes: { apiToken: { type: 'http', scheme: 'bearer' } } },
  };
}

function operation(call: Call): Readonly<Record<string, unknown>> {
  return {
    summary: call.summary,
    ...(call.problems.includes('unauthorized') ? { security: [{}, { apiToken: [] }] } : {}),
    parameters: [
      ...pathParameters(call.path),
      ...queryParameters(call.query),
      ...(call.conditions ?? []).map((name) =>
        header(name, call.method === 'get' ? TAGS : `${TAGS}. ${LOCAL_CONDITION}`),
      ),
      ...(call.problems.includes('idempotency-key-reused') ? [header('Idempotency-Key', IDEMPOTENCY)] : []),
    ],
    ...(call.body === undefined
      ? {}
      : { requestBody: { required: true, ...content('application/json', call.body) } }),
    responses: Object.fromEntries(statusesOf(call).map((status) => [String(status), response(call, status)])),
  };
}

const TAGS =
  '* or a list of entity tags; a key’s tag is its version. A weak tag (W/"…") never matches If-Match (RFC 9110, 13.1.1)';
const LOCAL_CONDITION =
  'The condition is held against what this node has seen, not against the cluster: two nodes may both take ' +
  '`If-None-Match: *` for one key at the same moment, whatever `w` is, and then both writes are kept as a conflict. ' +
  'The answer says so with `condition: "local"`';
const IDEMPOTENCY =
  '1–255 visible ASCII characters, in quotes or not. The same request with the same key is answered as it was the first ' +
  'time, with `Idempotency-Replayed: true`, and not done again; another request with it is 422. This node alone remembers ' +
  'keys, for ten minutes at most, no more than 10,000 of them, and not over a restart. What came to nothing is not remembered';

function header(name: string, description: string): Readonly<Record<string, unknown>> {
  return { name, in: 'header', required: false, description, schema: { type: 'string' } };
}

function response(call: Call, status: number): Readonly<Record<string, unknown>> {
  const answer = call.answers[status];
  if (typeof answer === 'string') return { description: answer };
  if (answer !== undefined && call.problems.every((slug) => statusOf(slug) !== status)) {
    return { description: call.summary, ...content('application/json', answer) };
  }
  const slugs = problemsOf(call).filter((slug) => statusOf(slug) === status);
  return {
    description: slugs.map(titleOf).join('; '),
    ...content('application/problem+json', problemSchema(call, status)),
  };
}

/** RFC 9457, with the members that this status adds. */
function problemSchema(call: Call, status: number): z.ZodType {
  switch (status) {
    case 404:
      return call.method === 'get' ? schemas.AbsentProblem : schemas.NothingToDeleteProblem;
    case 412:
      return schemas.PreconditionProblem;
    case 504:
      return schemas.TooFewAcksProblem;
    default:
      return schemas.Problem;
  }
}

function pathParameters(path: string): readonly unknown[] {
  return path.includes('{key}')
    ? [{ name: 'key', in: 'path', required: true, schema: jsonSchema(schemas.Key) }]
    : [];
}

function queryParameters(query: z.ZodObject): readonly unknown[] {
  return Object.entries(query.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    required: !z.safeParse(schema, undefined).success,
    schema: jsonSchema(schema),
  }));
}

function content(type: string, schema: z.ZodType): { readonly content: Readonly<Record<string, unknown>> } {
  return { content: { [type]: { schema: jsonSchema(schema) } } };
}

function jsonSchema(schema: z.core.$ZodType): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}
