/**
 * The HTTP contract as schemas: what goes over the wire, in its own snake_case. The routes check requests with them,
 * the chaos lab and the dashboard check answers, and the OpenAPI document is made of them, so that the contract is
 * written once. Needs nothing but zod.
 *
 * Requests are strict: an unknown field is a mistake of the caller. Answers may grow: readers ignore what they don't know.
 */
import { z } from 'zod';

export const KEY_BYTES_MAX = 512;
export const VALUE_BYTES_MAX = 65_536;
/** Entries of one batch, all accepted or none. */
const BATCH_ENTRIES_MAX = 1000;
/** How long a write waits for acknowledgements where `timeout_ms` says nothing. A guess: above two failovers. */
export const ACK_TIMEOUT_MS = 5000;
const ACK_TIMEOUT_MS_MAX = 60_000;
/** Longest hold of a conditional read, in seconds. */
export const WAIT_SECONDS_MAX = 30;
const PAGE_ENTRIES_MAX = 1000;
export const PAGE_ENTRIES_DEFAULT = 100;

const utf8 = new TextEncoder();

const peerId = z.string().min(1).describe('libp2p peer id of a node (Ed25519)');
const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('Merkle root: SHA-256, lower-case hex');
const epochMs = z.number().nonnegative().describe('milliseconds since the epoch');
const version = z.string().min(1).describe('names one write of this key; also its ETag');
/** Present, and any JSON. (zod takes an absent field for `unknown`.) */
const jsonValue = z
  .unknown()
  .refine((value) => value !== undefined, 'is required')
  .describe('any JSON');

export const SyncModeSchema = z.enum(['P2P', 'HTTP', 'NONE']);
export const ForcedModeSchema = z.enum(['P2P', 'HTTP']).nullable();
export const LinkStateSchema = z.enum(['unknown', 'alive', 'suspect', 'dead']);
export const LungNameSchema = z.enum(['p2p', 'http']);

/** A key: 1–512 bytes of well-formed UTF-8 text. Any text will do, `__proto__` too. */
export const Key = z
  .string()
  .min(1, 'is empty')
  .refine((key) => key.isWellFormed(), 'is not well-formed text (lone surrogate)')
  .refine((key) => utf8.encode(key).length <= KEY_BYTES_MAX, `is longer than ${KEY_BYTES_MAX} bytes of UTF-8`)
  .describe(
    `1–${KEY_BYTES_MAX} bytes of UTF-8; percent-encoded in a path, its slashes as %2F. \`.\` and \`..\` are not written, for URL clients ` +
      'take them for steps, encoded too; where one is there, a listing shows it and a batch deletes it',
  );

// ---- answers -------------------------------------------------------------------------------------------------------

export const HealthResponse = z.object({ status: z.literal('healthy') });
export type HealthResponse = z.infer<typeof HealthResponse>;

/** 200 when ready, 503 when not, with this body either way. */
/** Nodes of the version before tell none. */
const warnings = z
  .array(z.string())
  .optional()
  .describe('what to look at although the node serves: a lung that reaches nobody');

export const ReadyResponse = z.object({
  status: z.enum(['ready', 'not ready']),
  reasons: z.array(z.string()),
  warnings,
});
export type ReadyResponse = z.infer<typeof ReadyResponse>;

const LinkStatusResponse = z.object({
  state: LinkStateSchema,
  last_heard_ms: z.number().nullable().describe('milliseconds ago'),
  rtt_ms: z.number().nullable(),
});
export type LinkStatusResponse = z.infer<typeof LinkStatusResponse>;

const PeerStatusResponse = z.object({
  peer_id: peerId,
  url: z.string().nullable(),
  p2p: LinkStatusResponse,
  http: LinkStatusResponse,
  merkle_root: digest.nullable(),
});

/** Absent members told one by one. */
export const ABSENT_TOLD_MAX = 64;

const MembersResponse = z
  .object({
    counted: z.number().int().positive().describe('members that `w=all` needs, this one included'),
    needed_majority: z.number().int().positive().describe('what `w=majority` needs'),
    absent_count: z.number().int().nonnegative().describe('members met before that are not heard now'),
    absent: z
      .array(
        z.object({
          peer_id: peerId,
          last_heard_at: epochMs.nullable().describe('null: not known'),
          counts_until: epochMs
            .nullable()
            .describe(
              'if it stays silent and this node runs (AETHEL_MEMBER_ABSENCE_MS); null: it counts no more',
            ),
        }),
      )
      .describe(`longest silent first, at most ${ABSENT_TOLD_MAX}`),
  })
  .describe('who counts for `w=`');

export const StatusResponse = z.object({
  success: z.literal(true),
  name: z.string(),
  slot: z
    .number()
    .int()
    .nonnegative()
    .nullable()
    .describe(
      'which slot of the shared volume holds the state; null where the node has a directory of its own',
    ),
  enabled: z.boolean().describe('P2P is wanted by configuration'),
  started: z.boolean().describe('P2P runs'),
  libp2p_available: z.boolean(),
  error: z.string().nullable().describe('why P2P does not run'),
  http_sync_enabled: z.boolean(),
  sync_mode: SyncModeSchema.describe('what carries data now, by evidence'),
  forced_mode: ForcedModeSchema,
  mode_since: epochMs,
  last_switch: z
    .object({ from: SyncModeSchema, to: SyncModeSchema, reason: z.string(), at: epochMs })
    .nullable(),
  heartbeat_active: z.boolean(),
  peer_id: peerId,
  topic: z.string(),
  listen_multiaddrs: z.array(z.string()),
  bootstrap_peers: z.array(z.string()),
  peer_count: z.number().int().nonnegative().describe('peers that P2P reaches now'),
  has_peers: z.boolean(),
  merkle_root: digest,
  state_size: z.number().int().nonnegative().describe('keys that have a value'),
  state_bytes: z.number().int().nonnegative().optional().describe('memory that the records take, about'),
  state_bytes_max: z.number().int().nullable().optional().describe('at most; beyond, writes get 507'),
  peers: z.array(PeerStatusResponse),
  members: MembersResponse.optional(),
  warnings,
});
export type StatusResponse = z.infer<typeof StatusResponse>;

export const IdentityResponse = z.object({
  success: z.literal(true),
  peer_id: peerId,
  listen_addrs: z.array(z.string()),
});
export type IdentityResponse = z.infer<typeof IdentityResponse>;

export const NodesResponse = z.object({
  success: z.literal(true),
  nodes: z.array(z.string()).describe('base URLs of the HTTP peers known'),
  count: z.number().int().nonnegative(),
});
export type NodesResponse = z.infer<typeof NodesResponse>;

export const StateResponse = z.object({
  success: z.literal(true),
  merkle_root: digest,
  state_size: z.number().int().nonnegative(),
  timestamp: epochMs,
  peer_id: peerId,
  signature: z
    .base64()
    .describe(
      'Ed25519 by the node\'s identity over the text "aethel/state/v1\\n<merkle_root>\\n<timestamp>\\n<peer_id>"',
    ),
  signed: z.literal(true),
});
export type StateResponse = z.infer<typeof StateResponse>;

const SiblingResponse = z.object({
  value: z.unknown().describe('null when `deleted`'),
  deleted: z.boolean(),
  version,
  author: peerId,
  timestamp: epochMs,
});

const entryFields = {
  key: z.string(),
  value: z.unknown(),
  version,
  author: peerId,
  timestamp: epochMs,
  conflict: z.boolean().describe('concurrent writes lost against this one and are kept as siblings'),
  siblings: z.array(SiblingResponse),
};

const Entry = z.object(entryFields);

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

/** As protocol/state/proof-document.ts writes it; `scripts/verify-proof` and other implementations check it offline. */
const ProofResponse = z.object({
  version: z.literal(1),
  key: z.string(),
  root: digest,
  timestamp: epochMs,
  peer_id: peerId,
  signature: z.base64().describe('of the root, as in the answer about the state'),
  records: z.array(z.base64()).describe('live records of the key, canonical and signed, the winner first'),
  path: z
    .object({
      version: z.literal(1),
      siblings: z.array(z.array(hex32)),
      entries: z.array(z.object({ path: hex32, ids: z.array(hex32) })),
    })
    .describe('from the root down to the bucket where the key is, or would be; docs/PROTOCOL.md'),
});
const proof = ProofResponse.optional().describe('with proof=1');

export const EntryResponse = z.object({
  success: z.literal(true),
  ...entryFields,
  proof,
});
export type EntryResponse = z.infer<typeof EntryResponse>;

export const EntriesResponse = z.object({
  success: z.literal(true),
  merkle_root: digest,
  state_size: z.number().int().nonnegative(),
  entries: z.array(Entry).describe('in key order (UTF-8 bytes)'),
  count: z.number().int().nonnegative(),
  next_cursor: z
    .string()
    .nullable()
    .describe(
      'opaque, and safe in a URL as it is: pass it as `cursor` for the next page; null: this was the last',
    ),
});
export type EntriesResponse = z.infer<typeof EntriesResponse>;

const standingFields = { version, author: peerId, timestamp: epochMs, deleted: z.boolean() };

/** A record that lives, without its value. */
const StandingResponse = z
  .object(standingFields)
  .describe(
    'the record that is shown of the key, a tombstone too: whether it is one’s own write, its author and time tell',
  );
export type StandingResponse = z.infer<typeof StandingResponse>;

const replaced = z
  .array(
    z.object({
      ...standingFields,
      value: z.unknown().optional().describe('null when `deleted`; left out beyond 64 KiB in all'),
    }),
  )
  .describe(
    'where the key was in conflict: every record that this write replaced, the one that was shown first',
  )
  .optional();
const condition = z
  .literal('local')
  .describe('a condition was given, and held against what this node had seen: no promise about other nodes')
  .optional();

export const WriteResponse = z.object({
  success: z.literal(true),
  key: z.string(),
  version,
  merkle_root: digest,
  condition,
  replaced,
  acks: z.number().int().positive().describe('nodes where the write is durable, this one included'),
});
export type WriteResponse = z.infer<typeof WriteResponse>;

export const BatchResponse = z.object({
  success: z.literal(true),
  entries: z.array(z.object({ key: z.string(), version, created: z.boolean(), replaced })),
  count: z.number().int().nonnegative(),
  merkle_root: digest,
  acks: z.number().int().positive(),
});
export type BatchResponse = z.infer<typeof BatchResponse>;

export const SwitchResponse = z.object({
  success: z.literal(true),
  forced_mode: ForcedModeSchema,
  sync_mode: SyncModeSchema,
});
export type SwitchResponse = z.infer<typeof SwitchResponse>;

/** RFC 9457; `application/problem+json`. `type` is a URN: `urn:aethel:problem:<slug>`. */
export const Problem = z.looseObject({
  success: z.literal(false),
  type: z.string(),
  title: z.string(),
  status: z.number().int().min(400).max(599),
  detail: z.string(),
});
export type Problem = z.infer<typeof Problem>;

/** No value, but maybe siblings: a delete won over writes that did not know of it. */
export const AbsentProblem = Problem.extend({
  conflict: z.boolean().optional(),
  siblings: z.array(SiblingResponse).optional(),
  proof,
});

export const PreconditionProblem = Problem.extend({
  version: z.string().nullable().describe('the one that is here; null: no value'),
  condition,
  current: StandingResponse.nullable().optional(),
});

/** A delete of what is not there, alone or in a batch, of which nothing was written then. */
export const NothingToDeleteProblem = Problem.extend({
  key: z.string(),
  index: z.number().int().nonnegative().optional().describe('of the entry, in a batch'),
  current: StandingResponse.nullable().describe(
    'the tombstone, where the key was deleted and it is still known',
  ),
});

/** 504: durable on `acks` members, this one included, and spreading. */
export const TooFewAcksProblem = Problem.extend({
  accepted: z.literal(true),
  acks: z.number().int().positive(),
  need: z.number().int().positive(),
  merkle_root: digest,
});

/** The data of a server-sent event. `event` is one of LatticeEvent of node/protocol/events.ts, checked loosely here. */
export const EventEnvelope = z.object({
  id: z.number().int().nonnegative(),
  at: epochMs,
  event: z.looseObject({ type: z.string() }),
});
export type EventEnvelope = z.infer<typeof EventEnvelope>;

// ---- requests ------------------------------------------------------------------------------------------------------

export const PutRequest = z.strictObject({ value: jsonValue });
export type PutRequest = z.infer<typeof PutRequest>;

const BatchEntry = z.union([
  z.strictObject({ key: Key, value: jsonValue }),
  z.strictObject({ key: Key, delete: z.literal(true) }),
]);

export const BatchRequest = z.strictObject({ entries: z.array(BatchEntry).min(1).max(BATCH_ENTRIES_MAX) });
export type BatchRequest = z.infer<typeof BatchRequest>;

const acknowledgements = z
  .string()
  .regex(/^(majority|all|[1-9][0-9]{0,3})$/, 'must be a count, majority or all')
  .describe('how many members, this one included, must have the write on disk before the answer; default 1');
const timeoutMs = z
  .string()
  .regex(/^[0-9]{1,5}$/, 'must be milliseconds')
  .refine(
    (text) => Number(text) >= 1 && Number(text) <= ACK_TIMEOUT_MS_MAX,
    `must be 1–${ACK_TIMEOUT_MS_MAX} milliseconds`,
  )
  .describe(`longest wait for acknowledgements, 1–${ACK_TIMEOUT_MS_MAX}, default ${ACK_TIMEOUT_MS}`);

export const NoQuery = z.strictObject({});
export const WriteQuery = z.strictObject({
  w: acknowledgements.optional(),
  timeout_ms: timeoutMs.optional(),
});
export type WriteQuery = z.infer<typeof WriteQuery>;

export const EntryQuery = z.strictObject({
  proof: z
    .enum(['0', '1'], 'must be 0 or 1')
    .describe('1 adds an inclusion or non-inclusion proof and the signed root')
    .optional(),
});

/** Either the root (`wait`), or a page of entries (`entries=1`, `cursor` or `after`, `limit`). */
export const StateQuery = z.strictObject({
  wait: z
    .string()
    .regex(/^[0-9]{1,2}(\.[0-9]{1,3})?$/, 'must be seconds, like 25 or 0.5')
    .refine((text) => Number(text) <= WAIT_SECONDS_MAX, `must be at most ${WAIT_SECONDS_MAX} seconds`)
    .describe(`seconds, 0–${WAIT_SECONDS_MAX}: holds the answer until the root changes`)
    .optional(),
  entries: z.enum(['0', '1'], 'must be 0 or 1').optional(),
  cursor: z
    .string()
    .max(1000, 'is no cursor')
    .describe('`next_cursor` of the page before; any other text is refused')
    .optional(),
  after: Key.describe('a key, there or not, behind which to begin; instead of a cursor').optional(),
  limit: z
    .string()
    .regex(/^[0-9]{1,4}$/, 'must be a number')
    .refine((text) => Number(text) >= 1 && Number(text) <= PAGE_ENTRIES_MAX, `must be 1–${PAGE_ENTRIES_MAX}`)
    .optional(),
});
export type StateQuery = z.infer<typeof StateQuery>;

export const SwitchQuery = z.strictObject({
  mode: z.enum(['p2p', 'http', 'auto'], 'must be p2p, http or auto'),
});
export type SwitchQuery = z.infer<typeof SwitchQuery>;
