/**
 * P3 as an onlooker sees it: what each host heard over each lung, and whether the mode that it claims goes with that. Times are the
 * host's own attentive ones: a stalled host is excused, as the detector excuses it.
 */
import type { Input } from '../node/protocol/border.ts';
import type { CoreOptions } from '../node/protocol/core.ts';
import type { LatticeEvent, LungName } from '../node/protocol/events.ts';
import type { NodeId } from '../node/protocol/ids.ts';
import type { Host } from './host.ts';

interface Ear {
  life: number;
  lastStepAt: number;
  attentiveMs: number;
  /** attentive time of the last thing heard; null in this life never */
  heard: Record<LungName, number | null>;
  /** attentive time of the last thing heard over P2P, by peer: who says that a peer is silent has not heard it lately */
  readonly p2pFrom: Map<NodeId, number>;
  /** virtual time of the last word on the time, by peer, and of the first since the own clock was moved */
  readonly clockFrom: Map<NodeId, number>;
  readonly clockFirst: Map<NodeId, number>;
  /** since when no two things heard over P2P were further apart than a suspicion, and no connection came or went */
  p2pSince: number;
  /** since when it has said HTTP; null when it does not */
  httpSince: number | null;
}

/** A lung that was only kept warm is asked anew when it has to carry, and its answer may be held for a second, in ms. */
const ASKED_ANEW_MS = 1_500;
/** How long a peer's word on the time counts (core.ts), with a margin, in ms; and how many make a verdict that nobody can dispute. */
const CLOCK_FRESH_MS = 35_000;
const WITNESSES = 3;
/** Who has heard the right time from everyone judges it at its next tick, in ms. */
const VERDICT_MS = 1_000;
/** What a verdict may lag behind the evidence beside the detector's own windows, in ms: two ticks. */
const SLACK_TICKS = 2;
/** P2P that was heard without a break for so much longer than a flickering lung is waited for must be the mode again, in ms. */
const RETURN_MARGIN_MS = 1_000;

export class Honesty {
  readonly #options: CoreOptions;
  readonly #ears: Ear[] = [];

  constructor(options: CoreOptions) {
    this.#options = options;
  }

  /**
   * @param now virtual ms
   * @returns what is dishonest, or null
   */
  stepped(host: Host, input: Input, now: number): string | null {
    const ear = this.#ear(host, now);
    const { detector } = this.#options;
    ear.attentiveMs += Math.min(now - ear.lastStepAt, detector.attentiveStepMs);
    ear.lastStepAt = now;
    // A connection that ended ends what was heard over it, and it counts from the next word on.
    if (input.type === 'link' && input.lung === 'p2p') ear.p2pSince = ear.attentiveMs;
    if (input.type === 'heard' && (input.beacon?.wallMs ?? null) !== null) {
      ear.clockFrom.set(input.peer, now);
      if (!ear.clockFirst.has(input.peer)) ear.clockFirst.set(input.peer, now);
    }
    const lung = lungHeard(input);
    if (lung !== null) {
      if (lung === 'p2p' && 'peer' in input) ear.p2pFrom.set(input.peer, ear.attentiveMs);
      const before = ear.heard[lung];
      ear.heard[lung] = ear.attentiveMs;
      if (lung === 'p2p' && (before === null || ear.attentiveMs - before > detector.suspectMs))
        ear.p2pSince = ear.attentiveMs;
    }
    return input.type === 'timer' && input.timer === 'tick' ? this.#judge(host, ear) : null;
  }

  /** @returns what is wrong about an accusation: one's own slowness is no silence of a peer */
  accused(host: Host, event: LatticeEvent, now: number): string | null {
    if (event.type !== 'peer' || event.to !== 'dead' || event.lung !== 'p2p') return null;
    if (!event.reason.startsWith('silent')) return null;
    const ear = this.#ear(host, now);
    const { detector, policy } = this.#options;
    const attentiveMs = ear.attentiveMs + Math.min(now - ear.lastStepAt, detector.attentiveStepMs);
    const silentMs = attentiveMs - (ear.p2pFrom.get(event.peer) ?? 0);
    // A fiftieth for clocks that drift.
    if (silentMs >= 0.98 * detector.suspicionMs - policy.tickMs) return null;
    return `host ${host.number} calls a peer dead after ${Math.round(silentMs)} ms of listening`;
  }

  /** Whether all whose word on the time may still count have said it since the clock was moved, early enough, and so many at least. */
  hasAskedTheTime(host: Host, now: number): boolean {
    const { clockFrom, clockFirst } = this.#ear(host, now);
    const fresh = [...clockFrom].filter(([, at]) => now - at < CLOCK_FRESH_MS);
    const areTold = fresh.every(([peer]) => now - (clockFirst.get(peer) ?? now) > VERDICT_MS);
    return fresh.length >= WITNESSES && areTold;
  }

  clockMoved(host: Host, now: number): void {
    this.#ear(host, now).clockFirst.clear();
  }

  #judge(host: Host, ear: Ear): string | null {
    const { mode, forced } = host.core.mode();
    const { detector, policy } = this.#options;
    const slackMs = SLACK_TICKS * policy.tickMs;
    const p2pMs = silence(ear, 'p2p');
    ear.httpSince = mode === 'HTTP' ? (ear.httpSince ?? ear.attentiveMs) : null;
    switch (mode) {
      case 'P2P':
        if (p2pMs <= detector.suspicionMs + slackMs) return null;
        return `host ${host.number} says P2P after ${Math.round(p2pMs)} ms without a word over it`;
      case 'HTTP': {
        const httpMs = silence(ear, 'http');
        const isNew = ear.attentiveMs - (ear.httpSince ?? 0) <= ASKED_ANEW_MS;
        if (httpMs > (isNew ? detector.httpWarmMs : detector.httpFreshMs + policy.eagerWaitMs) + slackMs)
          return `host ${host.number} says HTTP after ${Math.round(httpMs)} ms without a word over it, ${Math.round(p2pMs)} ms after one over P2P`;
        if (
          forced === null &&
          p2pMs <= policy.tickMs &&
          ear.attentiveMs - ear.p2pSince > this.#options.mode.returnMaxMs + RETURN_MARGIN_MS
        )
          return `host ${host.number} says HTTP although it has heard P2P for ${Math.round(ear.attentiveMs - ear.p2pSince)} ms`;
        return null;
      }
      case 'NONE':
        if (forced !== 'HTTP' && p2pMs <= policy.tickMs && ear.attentiveMs - p2pMs > ear.p2pSince)
          return `host ${host.number} says NONE ${Math.round(p2pMs)} ms after a word over P2P`;
        return null;
    }
  }

  #ear(host: Host, now: number): Ear {
    const known = this.#ears[host.number];
    if (known !== undefined && known.life === host.life) return known;
    const ear: Ear = {
      life: host.life,
      lastStepAt: now,
      attentiveMs: 0,
      heard: { p2p: null, http: null },
      p2pFrom: new Map(),
      clockFrom: new Map(),
      clockFirst: new Map(),
      p2pSince: 0,
      httpSince: null,
    };
    this.#ears[host.number] = ear;
    return ear;
  }
}

function silence({ attentiveMs, heard }: Ear, lung: LungName): number {
  const at = heard[lung];
  return at === null ? Infinity : attentiveMs - at;
}

/** Over which lung this input shows that somebody is there. */
function lungHeard(input: Input): LungName | null {
  switch (input.type) {
    case 'gossip':
      return 'p2p';
    case 'heard':
    case 'asking':
    case 'asked':
    case 'arriving':
    case 'answered':
      return input.lung;
    case 'start':
    case 'timer':
    case 'lung':
    case 'link':
    case 'silent':
    case 'write':
    case 'unanswered':
    case 'twin':
    case 'force':
      return null;
  }
}
