/**
 * A wrong wall clock: it jumps, and it runs too fast or too slow, while the node runs. libfaketime does it, between the
 * node and its libc, told by a file that it reads anew every second; the monotonic clock stays right, as on a real machine.
 * Evidence is the node's own time, as it says it over HTTP.
 */
import type { Check } from './fault.ts';
import { StepFault } from './step-fault.ts';
import type { SpecOf } from './spec.ts';

export interface ClockNode {
  readonly name: string;
  /** what the file shall say. Throws FaultError where the node runs on the machine's own clock. */
  setClock(text: string): Promise<void>;
  /** when its process was made, ms since the epoch */
  readonly launchedAt: number;
  /** its own time, now, ms since the epoch; null: it does not say */
  time(): Promise<number | null>;
}

/** libfaketime looks at its file once in a second; until then the old clock goes on. */
const LOOKS_EVERY_MS = 1_000;
/** of asking over HTTP on a busy machine */
const ERROR_MS = 100;

export function wrongClock({ jumpMs, driftPpm }: SpecOf<'clock'>, node: ClockNode): StepFault {
  const drift = driftPpm / 1e6;
  let since = Date.now();
  return new StepFault({
    name: 'clock',
    means: `libfaketime: the clock of ${node.name} jumps by ${jumpMs} ms and runs ${driftPpm} ppm fast`,
    back: 'the file says that nothing is to be changed',
    inject: async () => {
      since = Date.now();
      await node.setClock(faketime(jumpMs, drift, since - node.launchedAt));
    },
    bites: async () => {
      const wanted = jumpMs + drift * (Date.now() - since);
      const slack = ERROR_MS + Math.abs(drift) * 2 * LOOKS_EVERY_MS;
      // What is within the error of measuring it is no proof.
      return [await offCheck(node, wanted, slack, Math.abs(wanted) > 2 * slack)];
    },
    lift: () => node.setClock(faketime(0, 0, 0)),
    healed: async () => [await offCheck(node, 0, ERROR_MS, true)],
  });
}

/**
 * The line of libfaketime's file. A rate counts from the start of the process, so what it would have made of the time
 * since then is taken off the offset: the clock shall begin to drift now.
 */
export function faketime(jumpMs: number, drift: number, ageMs: number): string {
  const offset = (jumpMs - drift * ageMs) / 1000;
  const sign = offset < 0 ? '-' : '+';
  // Without a rate the last one would go on.
  return `${sign}${Math.abs(offset).toFixed(3)} x${(1 + drift).toFixed(6)}`;
}

/** What makes a node run on a clock that the file tells; the monotonic clock stays the machine's. */
export function clockEnvironment(library: string, file: string): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: String(LOOKS_EVERY_MS / 1000),
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}

async function offCheck(node: ClockNode, wantedMs: number, slackMs: number, tells: boolean): Promise<Check> {
  const asked = Date.now();
  const said = await node.time();
  const offMs = said === null ? Number.NaN : said - (asked + Date.now()) / 2;
  return {
    claim: `${node.name}: its clock is ${Math.round(offMs)} ms ahead (${Math.round(wantedMs)} ± ${Math.round(slackMs)} wanted)`,
    holds: tells && Math.abs(offMs - wantedMs) <= slackMs,
  };
}
