/**
 * Makes a failing schedule smaller while it fails in the same way: leaves steps out (delta debugging), makes them shorter, takes
 * hosts away, and puts links, disks and clocks right. Every candidate is a run; the smallest that failed is what is left.
 *
 * @see Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input, IEEE TSE 2002
 */
import type { Paths } from './faults.ts';
import type { RunReport } from './run.ts';
import { endOf, type Schedule, type Step } from './schedule.ts';
import { WORLD_DEFAULTS } from './world.ts';

export interface Shrunk {
  readonly schedule: Schedule;
  readonly report: RunReport;
  readonly runs: number;
}

export interface ShrinkOptions {
  /** Runs at most; default 2000: two minutes of small seeds. */
  readonly runsMax: number;
}

/** Faults below this are blinks, in ms: not made shorter. */
const SHORT_MS = 50;
const HOSTS_MIN = 2;
/** Nothing is cut off that happens so soon after the last step, in ms. */
const AFTERMATH_MS = 1_000;

/** @returns null when the schedule does not fail */
export function shrink(
  schedule: Schedule,
  runIt: (schedule: Schedule) => RunReport,
  { runsMax }: ShrinkOptions,
  onProgress: (smallest: Schedule, runs: number) => void = () => {},
): Shrunk | null {
  const first = runIt(schedule);
  if (first.verdict === 'pass') return null;
  const wanted = signatureOf(first);
  let best = { schedule, report: first };
  let runs = 1;
  /** Takes the candidate if it still fails alike. */
  const accept = (candidate: Schedule): boolean => {
    if (runs >= runsMax) return false;
    runs += 1;
    const report = runIt(candidate);
    if (signatureOf(report) !== wanted) return false;
    best = { schedule: candidate, report };
    onProgress(candidate, runs);
    return true;
  };
  const current = (): Schedule => best.schedule;
  for (let before = ''; before !== JSON.stringify(current()) && runs < runsMax;) {
    before = JSON.stringify(current());
    dropSteps(current, accept);
    dropHosts(current, accept);
    shorten(current, accept);
    simplify(current, accept);
  }
  return { ...best, runs };
}

type Accept = (candidate: Schedule) => boolean;

/** What makes two failures the same: the kind, and which promise. */
function signatureOf({ verdict, violations }: RunReport): string {
  return `${verdict} ${violations[0]?.promise ?? ''}`;
}

/** ddmin: ever smaller pieces are left out, as long as there are any. */
function dropSteps(current: () => Schedule, accept: Accept): void {
  for (
    let size = Math.ceil(current().steps.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < current().steps.length;) {
      const { steps } = current();
      const rest = [...steps.slice(0, at), ...steps.slice(at + size)];
      if (!accept({ ...current(), steps: rest })) at += size;
    }
  }
}

function dropHosts(current: () => Schedule, accept: Accept): void {
  for (let host = current().options.nodes - 1; host >= 0; host -= 1) {
    if (current().options.nodes <= HOSTS_MIN) return;
    const without = withoutHost(current(), host);
    if (without !== null) accept(without);
  }
}

/** @returns null when too few would be left of the core */
function withoutHost({ options, steps, ...rest }: Schedule, gone: number): Schedule | null {
  const core = renumbered(options.core, gone);
  if (core.length < HOSTS_MIN) return null;
  const hosts = options.hosts.filter((_, host) => host !== gone);
  return {
    ...rest,
    options: { ...options, nodes: options.nodes - 1, hosts, core },
    steps: steps.flatMap((step) => stepWithout(step, gone)),
  };
}

function stepWithout(step: Step, gone: number): readonly Step[] {
  switch (step.do) {
    case 'share': {
      const hosts = renumbered(step.hosts, gone);
      return hosts.length === 0 ? [] : [{ ...step, hosts }];
    }
    case 'cut':
    case 'delay':
      return [{ ...step, paths: pathsWithout(step.paths, gone) }];
    case 'equivocate': {
      const [host, to] = [renumbered([step.host], gone)[0], renumbered([step.to], gone)[0]];
      return host === undefined || to === undefined ? [] : [{ ...step, host, to }];
    }
    case 'one-lung': {
      const [host] = renumbered([step.host], gone);
      const [deaf = null] = step.deaf === null ? [] : renumbered([step.deaf], gone);
      return host === undefined || (deaf === null && step.deaf !== null) ? [] : [{ ...step, host, deaf }];
    }
    case 'facts':
    case 'delete':
    case 'kill':
    case 'backup':
    case 'stall':
    case 'clock':
    case 'force':
    case 'forge': {
      const [host] = renumbered([step.host], gone);
      return host === undefined ? [] : [{ ...step, host }];
    }
  }
}

function pathsWithout(paths: Paths, gone: number): Paths {
  return { ...paths, from: renumbered(paths.from, gone), to: renumbered(paths.to, gone) };
}

function renumbered(hosts: readonly number[], gone: number): readonly number[] {
  return hosts.filter((host) => host !== gone).map((host) => (host > gone ? host - 1 : host));
}

function shorten(current: () => Schedule, accept: Accept): void {
  for (let at = 0; at < current().steps.length; at += 1) {
    for (;;) {
      const step = current().steps[at];
      const shorter = step === undefined ? null : shorterStep(step);
      if (shorter === null || !accept({ ...current(), steps: current().steps.with(at, shorter) })) break;
    }
  }
  const { options, steps } = current();
  const faultsMs = Math.ceil(Math.max(0, ...steps.map(endOf)) + AFTERMATH_MS);
  if (faultsMs < options.faultsMs) accept({ ...current(), options: { ...options, faultsMs } });
}

/** @returns null when it is as short as it gets */
function shorterStep(step: Step): Step | null {
  switch (step.do) {
    case 'facts':
      if (step.wait !== null) return { ...step, wait: null };
      if (step.count > 1) return { ...step, count: Math.ceil(step.count / 2) };
      return step.bytes > 0 ? { ...step, bytes: 0 } : null;
    case 'cut':
    case 'delay':
    case 'kill':
    case 'stall':
    case 'clock':
    case 'force':
      return step.forMs >= 2 * SHORT_MS ? { ...step, forMs: Math.round(step.forMs / 2) } : null;
    case 'share':
      return step.hosts.length > 1 ? { ...step, hosts: step.hosts.slice(1) } : null;
    case 'delete':
    case 'backup':
    case 'forge':
    case 'equivocate':
    case 'one-lung':
      return null;
  }
}

/** Fewer things that are special about links, disks and clocks. */
function simplify(current: () => Schedule, accept: Accept): void {
  const { options } = current();
  const plain = options.hosts.map(({ flushMs }) => ({ flushMs, driftPpm: 0, offsetMs: 0 }));
  const quick = options.hosts.map((host) => ({ ...host, flushMs: 1 }));
  const changes: readonly Partial<Schedule['options']>[] = [
    { wire: false },
    { quality: WORLD_DEFAULTS.quality },
    { knobs: {} },
    { hosts: plain },
    { hosts: quick },
    { others: 'cut' },
    { core: options.hosts.map((_, host) => host) },
  ];
  for (const change of changes) {
    const candidate = { ...current(), options: { ...current().options, ...change } };
    if (JSON.stringify(candidate) !== JSON.stringify(current())) accept(candidate);
  }
}
