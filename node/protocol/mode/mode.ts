/**
 * `sync_mode` by evidence: one transition table with hysteresis.
 *
 *   gossip reaches a member               → P2P
 *   else an HTTP exchange was fresh       → HTTP
 *   else                                  → NONE
 *
 * Leaving P2P is immediate, coming back needs gossip to have reached someone for `returnAfterMs` without a break, so that
 * a lung that flickers does not make the mode flicker; each time that P2P is lost again soon after it came back, that wait
 * doubles, as route flap damping does (RFC 2439). From NONE any breath counts at once. A forced mode is a lung
 * that alone may carry: where it does not, the honest answer is NONE.
 */
import type { SyncMode } from '../events.ts';

export interface ModeOptions {
  /** How long P2P evidence must hold before HTTP hands back, in ms. Default 300: a bit more than one heartbeat. A guess, to be measured. */
  readonly returnAfterMs: number;
  /** The longest that this becomes for a lung that flickers, in ms. Default 5000: HTTP carries meanwhile, so waiting loses nothing. */
  readonly returnMaxMs: number;
  /** P2P that carried for so long was no flicker, in ms. Default 5000. */
  readonly steadyMs: number;
}

export interface ModeEvidence {
  /** members that gossip reaches now */
  readonly p2pReached: number;
  /** members with a fresh HTTP exchange */
  readonly httpReached: number;
}

export interface ModeState {
  readonly mode: SyncMode;
  readonly forced: 'P2P' | 'HTTP' | null;
  /** since when gossip has reached someone without a break, ms; null when it reaches nobody */
  readonly p2pSince: number | null;
  /** since when the mode is P2P, ms; null when it is not */
  readonly carriedSince: number | null;
  /** times in a row that P2P was lost before it had carried for long */
  readonly flaps: number;
}

export const INITIAL_MODE: ModeState = {
  mode: 'NONE',
  forced: null,
  p2pSince: null,
  carriedSince: null,
  flaps: 0,
};

export interface ModeStep {
  readonly state: ModeState;
  /** set when the mode changed */
  readonly reason: string | null;
}

/** @param now ms, monotonic */
export function nextMode(
  state: ModeState,
  evidence: ModeEvidence,
  now: number,
  options: ModeOptions,
): ModeStep {
  const p2pSince = evidence.p2pReached === 0 ? null : (state.p2pSince ?? now);
  const mode = decide({ ...state, p2pSince }, evidence, now, options);
  const carriedSince = mode === 'P2P' ? (state.carriedSince ?? now) : null;
  const flaps = flapsAfter(state, mode, now, options);
  return {
    state: { mode, forced: state.forced, p2pSince, carriedSince, flaps },
    reason: mode === state.mode ? null : reasonFor(mode, state.forced, evidence),
  };
}

/**
 * Whether the passing of time alone changes nothing: what these numbers made of the state, they make of it again.
 *
 * @param evidence by which the state became what it is, and which still holds
 */
export function isSteady({ mode, forced }: ModeState, evidence: ModeEvidence): boolean {
  return mode === destinationOf(forced, evidence);
}

/** What the mode becomes if the evidence stays as it is. */
function destinationOf(forced: ModeState['forced'], { p2pReached, httpReached }: ModeEvidence): SyncMode {
  switch (forced) {
    case 'P2P':
      return p2pReached > 0 ? 'P2P' : 'NONE';
    case 'HTTP':
      return httpReached > 0 ? 'HTTP' : 'NONE';
    case null:
      return p2pReached > 0 ? 'P2P' : httpReached > 0 ? 'HTTP' : 'NONE';
  }
}

function flapsAfter(
  { mode: from, carriedSince, flaps }: ModeState,
  to: SyncMode,
  now: number,
  { steadyMs }: ModeOptions,
): number {
  if (from !== 'P2P' || to === 'P2P') return flaps;
  return now - (carriedSince ?? now) < steadyMs ? flaps + 1 : 0;
}

/** Ten doublings are beyond any sensible maximum, and within what a number holds. */
function returnAfter(flaps: number, { returnAfterMs, returnMaxMs }: ModeOptions): number {
  return Math.min(returnMaxMs, returnAfterMs * 2 ** Math.min(flaps, 10));
}

function decide(state: ModeState, evidence: ModeEvidence, now: number, options: ModeOptions): SyncMode {
  const destination = destinationOf(state.forced, evidence);
  const isReturning =
    state.forced === null && destination === 'P2P' && state.mode === 'HTTP' && evidence.httpReached > 0;
  if (isReturning && now - (state.p2pSince ?? now) < returnAfter(state.flaps, options)) return 'HTTP';
  return destination;
}

function reasonFor(to: SyncMode, forced: 'P2P' | 'HTTP' | null, evidence: ModeEvidence): string {
  if (forced !== null)
    return to === 'NONE' ? `forced_${forced.toLowerCase()}_reaches_nobody` : `forced_${forced.toLowerCase()}`;
  switch (to) {
    case 'P2P':
      return 'p2p_reaches_members';
    case 'HTTP':
      return 'p2p_silent_http_answers';
    case 'NONE':
      return evidence.p2pReached === 0 ? 'both_lungs_silent' : 'undecided';
  }
}
