/** A schedule in a file: JSON, checked as strictly as anything that comes from outside. */
import { z } from 'zod';
import { FORGERIES, type Schedule } from './schedule.ts';

const HOSTS_MAX = 20_000;
const STEPS_MAX = 1_000_000;
const MS_MAX = 86_400_000;

const host = z
  .int()
  .min(0)
  .max(HOSTS_MAX - 1);
const hosts = z.array(host).max(HOSTS_MAX);
const ms = z.number().min(0).max(MS_MAX);
const share = z.number().min(0).max(1);
const lung = z.enum(['p2p', 'http']);
const paths = z.strictObject({
  from: hosts,
  to: hosts,
  lungs: z.array(lung).max(2),
  oneWay: z.boolean(),
});
const quality = z.strictObject({
  latencyMs: z.tuple([ms, ms]),
  loss: share,
  duplicate: share,
  reorder: share,
});
const wait = z.strictObject({
  need: z.union([z.int().min(1).max(HOSTS_MAX), z.enum(['majority', 'all'])]),
  timeoutMs: ms,
});

const base = { id: z.int().min(0), at: ms };
const lasting = { ...base, forMs: ms };
const step = z.discriminatedUnion('do', [
  z.strictObject({
    ...base,
    do: z.literal('facts'),
    host,
    count: z.int().min(1).max(100_000),
    gapMs: ms,
    bytes: z.int().min(0).max(60_000),
    wait: wait.nullable(),
  }),
  z.strictObject({ ...base, do: z.literal('share'), hosts, key: z.int().min(0) }),
  z.strictObject({ ...base, do: z.literal('delete'), host, fact: z.int().min(0) }),
  z.strictObject({ ...lasting, do: z.literal('cut'), paths }),
  z.strictObject({ ...lasting, do: z.literal('delay'), paths, byMs: ms }),
  z.strictObject({
    ...lasting,
    do: z.literal('kill'),
    host,
    keepsSyncing: z.boolean(),
    backup: z.int().min(0).nullable(),
  }),
  z.strictObject({ ...base, do: z.literal('backup'), host }),
  z.strictObject({ ...lasting, do: z.literal('stall'), host }),
  z.strictObject({ ...lasting, do: z.literal('clock'), host, byMs: z.number().min(-MS_MAX).max(MS_MAX) }),
  z.strictObject({ ...lasting, do: z.literal('force'), host, mode: z.enum(['P2P', 'HTTP']) }),
  z.strictObject({ ...base, do: z.literal('forge'), host, how: z.enum(FORGERIES) }),
  z.strictObject({ ...base, do: z.literal('equivocate'), host, to: host }),
  z.strictObject({ ...lasting, do: z.literal('one-lung'), lung, host, deaf: host.nullable() }),
]);

const schedule = z.strictObject({
  version: z.literal(1),
  seed: z
    .int()
    .min(0)
    .max(2 ** 48),
  options: z.strictObject({
    nodes: z.int().min(2).max(HOSTS_MAX),
    faultsMs: ms,
    budgetMs: ms,
    quality: z.strictObject({ p2p: quality, http: quality }),
    degree: z.int().min(2).max(64).nullable(),
    wire: z.boolean(),
    hosts: z
      .array(
        z.strictObject({
          flushMs: ms,
          driftPpm: z.number().min(-500_000).max(500_000),
          offsetMs: z.number().min(-MS_MAX).max(MS_MAX),
        }),
      )
      .max(HOSTS_MAX),
    knobs: z.strictObject({
      beatMs: ms.optional(),
      tickMs: ms.optional(),
      forgetMs: ms.optional(),
      graceMs: ms.optional(),
      collectAfterMs: ms.optional(),
      cellsMax: z.int().min(1).max(1_000_000).optional(),
    }),
    core: hosts.min(2),
    others: z.enum(['cut', 'dead']),
  }),
  steps: z.array(step).max(STEPS_MAX),
});

export function writeSchedule(value: Schedule): string {
  const { steps, ...rest } = value;
  const lines = steps.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
  return `${JSON.stringify(rest, null, 2).slice(0, -2)},\n  "steps": [\n${lines}\n  ]\n}\n`;
}

/** @returns the schedule, or in one line what is wrong with it */
export function readSchedule(text: string): Schedule | string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const parsed = schedule.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a schedule'}`;
  }
  // The schema says the same as the type but for `exactOptionalPropertyTypes`: a knob that is absent is not undefined.
  const read = parsed.data as Schedule;
  const numbered = [...read.options.core, ...read.steps.flatMap(hostsIn)];
  if (read.options.hosts.length !== read.options.nodes) return 'options.hosts: not one for each node';
  if (numbered.some((number) => number >= read.options.nodes)) return 'a step names a host that there is not';
  return read;
}

function hostsIn(one: Schedule['steps'][number]): readonly number[] {
  const numbers: number[] = [];
  if ('host' in one) numbers.push(one.host);
  if ('hosts' in one) numbers.push(...one.hosts);
  if ('to' in one) numbers.push(one.to);
  if ('deaf' in one && one.deaf !== null) numbers.push(one.deaf);
  if ('paths' in one) numbers.push(...one.paths.from, ...one.paths.to);
  return numbers;
}
