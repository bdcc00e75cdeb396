/**
 * What a run leaves in results.json and evidence.json: the shape that is written, and checked again wherever it is read.
 * `VERSION` changes with the shape; an older or newer file is refused instead of guessed at.
 */
import { z } from 'zod';
import { Schedule } from '../schedule/schedule.ts';

export const VERSION = 1;

const Text = z.string().max(20_000);
const Texts = z.array(Text).max(10_000).readonly();
const Count = z.number().int().nonnegative();
const Milliseconds = z.number().nonnegative();

const World = z.enum(['containers', 'processes', 'simulated']);

export const Verdict = z.enum(['pass', 'fail', 'inconclusive', 'unsupported', 'error', 'interrupted']);
export type Verdict = z.infer<typeof Verdict>;

const Measurement = z.strictObject({
  what: Text,
  /** when it began, on the history's clock */
  from: z.number(),
  /** null: never */
  ms: Milliseconds.nullable(),
  budgetMs: Milliseconds.nullable(),
  round: Count,
});

const CheckResult = z.strictObject({
  checker: z.string().max(100),
  claim: Text,
  verdict: z.enum(['pass', 'fail', 'unknown']),
  detail: Text,
  /** on the history's clock, and where */
  violations: z
    .array(z.strictObject({ text: Text, at: z.number().nullable(), node: z.string().max(100).nullable() }))
    .max(10_000)
    .readonly(),
  /** by name, which says the unit */
  numbers: z.record(z.string().max(100), z.number()).optional(),
});

const Proof = z.strictObject({
  what: Text,
  /** when it was taken, on the history's clock */
  at: z.number(),
  /** A fault may tell more than this. */
  evidence: z.object({
    ok: z.boolean(),
    checks: z
      .array(z.object({ claim: Text, holds: z.boolean() }))
      .max(100_000)
      .readonly(),
    dropped: Count,
    droppedBytes: Count,
  }),
});
export type Proof = z.infer<typeof Proof>;

const Environment = z.strictObject({
  /** null where there is no git checkout */
  commit: z.string().max(64).nullable(),
  /** the checkout differs from its commit */
  dirty: z.boolean(),
  node: z.string().max(64),
  platform: z.string().max(200),
  kernel: z.string().max(200),
  cpu: z.string().max(200),
  cores: Count,
  memoryBytes: Count,
  /** the Docker engine, where it was used */
  engine: z.string().max(200).nullable(),
  images: z
    .array(
      z.strictObject({ name: z.string().max(300), id: z.string().max(100), source: z.string().max(100) }),
    )
    .max(20)
    .readonly(),
});
export type Environment = z.infer<typeof Environment>;

export const Results = z.strictObject({
  version: z.literal(VERSION),
  runId: z.string().max(100),
  scenario: z.string().max(100),
  says: Text,
  world: World,
  nodes: z.array(z.string().max(100)).max(10_000).readonly(),
  rounds: Count,
  seed: Count,
  /** ISO 8601 */
  startedAt: z.string().max(40),
  tookMs: Milliseconds,
  verdict: Verdict,
  /** why it is not a pass, one line each */
  reasons: Texts,
  writes: z.strictObject({ ok: Count, fail: Count, info: Count }),
  measurements: z.array(Measurement).max(100_000).readonly(),
  checks: z.array(CheckResult).max(1_000).readonly(),
  /** `harness: …`, `unsupported: …` or `inconclusive: …` */
  troubles: Texts,
  interrupted: z.boolean(),
  cleanUp: z.strictObject({ leftovers: Texts, removed: Count }),
  environment: Environment,
});
export type Results = z.infer<typeof Results>;

export const EvidenceFile = z.strictObject({
  version: z.literal(VERSION),
  proofs: z.array(Proof).max(100_000).readonly(),
});
export type EvidenceFile = z.infer<typeof EvidenceFile>;

/**
 * schedule.json: what a run was asked for, and all that it then meant to do, before anything happened. `chaos replay` plays
 * the same again.
 */
export const Order = z.strictObject({
  version: z.literal(VERSION),
  scenario: z.string().max(100),
  world: World,
  nodes: Count,
  rounds: Count,
  durationMs: Milliseconds.nullable(),
  seed: Count,
  /** null where the scenario plays by hand, from the seed */
  schedule: Schedule.nullable(),
});
export type Order = z.infer<typeof Order>;

export const GATE_VERSION = 1;

/** results.json of a gate: its runs lie in directories beside it. */
export const GateResults = z.strictObject({
  version: z.literal(GATE_VERSION),
  gateId: z.string().max(100),
  world: World,
  nodes: Count,
  seed: Count,
  startedAt: z.string().max(40),
  tookMs: Milliseconds,
  verdict: Verdict,
  runs: z
    .array(
      z.strictObject({
        scenario: z.string().max(100),
        directory: z.string().max(200),
        verdict: Verdict,
        reasons: Texts,
        tookMs: Milliseconds,
        acknowledged: Count,
      }),
    )
    .max(1_000)
    .readonly(),
  environment: Environment,
});
export type GateResults = z.infer<typeof GateResults>;

/** What the results of a gate repeat of one of its runs. */
export function toldByGate(
  { scenario, verdict, reasons, tookMs, writes }: Results,
  directory: string,
): GateResults['runs'][number] {
  return { scenario, directory, verdict, reasons, tookMs, acknowledged: writes.ok };
}
