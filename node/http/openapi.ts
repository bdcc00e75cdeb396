/**
 * OpenAPI 3.1 of the contract, made of the schemas that the routes check with. One table row per call.
 *
 * @see https://spec.openapis.org/oas/v3.1.0
 */
import { z } from 'zod';
import * as schemas from './schemas.ts';

interface Call {
  readonly method: 'get' | 'put' | 'post' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly query: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, z.ZodType | string>>;
  /** needs the bearer token where one is set */
  readonly isWrite?: true;
}

const { NoQuery, WriteQuery } = schemas;
const KEY_PATH = '/api/lattice/state/{key}';

const CALLS: readonly Call[] = [
  {
    method: 'get',
    path: '/health',
    summary: 'The process lives',
    query: NoQuery,
    answers: { 200: schemas.HealthResponse },
  },
  {
    method: 'get',
    path: '/ready',
    summary: 'Store open, clock sane, a lung up; 503 with reasons otherwise',
    query: NoQuery,
    answers: { 200: schemas.ReadyResponse, 503: schemas.ReadyResponse },
  },
  {
    method: 'get',
    path: '/api/lattice/p2p/status',
    summary: 'Both lungs, the mode, the peers',
    query: NoQuery,
    answers: { 200: schemas.StatusResponse },
  },
  {
    method: 'get',
    path: '/api/lattice/p2p/identity',
    summary: 'Who this node is and where it listens',
    query: NoQuery,
    answers: { 200: schemas.IdentityResponse },
  },
  {
    method: 'get',
    path: '/api/lattice/nodes',
    summary: 'The HTTP peers known',
    query: NoQuery,
    answers: { 200: schemas.NodesResponse },
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
  },
  {
    method: 'post',
    path: '/api/lattice/state',
    summary: 'Writes and deletes, all accepted or none',
    query: WriteQuery,
    body: schemas.BatchRequest,
    answers: { 200: schemas.BatchResponse },
    isWrite: true,
  },
  {
    method: 'get',
    path: KEY_PATH,
    summary: 'The value of a key, and its siblings when writes conflict',
    query: NoQuery,
    answers: { 200: schemas.EntryResponse, 304: 'The version is still the one named' },
  },
  {
    method: 'put',
    path: KEY_PATH,
    summary: 'Writes a key; conditional with If-Match, If-None-Match',
    query: WriteQuery,
    body: schemas.PutRequest,
    answers: { 200: schemas.WriteResponse, 201: schemas.WriteResponse },
    isWrite: true,
  },
  {
    method: 'delete',
    path: KEY_PATH,
    summary: 'Deletes a key, leaves a tombstone',
    query: WriteQuery,
    answers: { 200: schemas.WriteResponse },
    isWrite: true,
  },
  {
    method: 'post',
    path: '/api/lattice/sync/switch',
    summary: 'Forces a lung, or gives the choice back',
    query: schemas.SwitchQuery,
    answers: { 200: schemas.SwitchResponse },
    isWrite: true,
  },
  {
    method: 'get',
    path: '/api/lattice/events',
    summary: 'Server-sent events: a snapshot, then every change',
    query: NoQuery,
    answers: { 200: 'text/event-stream of EventEnvelope' },
  },
  {
    method: 'get',
    path: '/metrics',
    summary: 'Prometheus text',
    query: NoQuery,
    answers: { 200: 'Prometheus text' },
  },
];

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
      description: 'A replicated, Merkle-rooted state over two lungs.',
    },
    paths,
    components: { securitySchemes: { apiToken: { type: 'http', scheme: 'bearer' } } },
  };
}

function operation(call: Call): Readonly<Record<string, unknown>> {
  const answers = Object.entries(call.answers).map(([status, answer]) => [
    status,
    typeof answer === 'string'
      ? { description: answer }
      : { description: call.summary, ...content('application/json', answer) },
  ]);
  return {
    summary: call.summary,
    ...(call.isWrite ? { security: [{}, { apiToken: [] }] } : {}),
    parameters: [...pathParameters(call.path), ...queryParameters(call.query)],
    ...(call.body === undefined
      ? {}
      : { requestBody: { required: true, ...content('application/json', call.body) } }),
    responses: {
      ...(Object.fromEntries(answers) as Record<string, unknown>),
      default: {
        description: 'What went wrong (RFC 9457)',
        ...content('application/problem+json', schemas.Problem),
      },
    },
  };
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
