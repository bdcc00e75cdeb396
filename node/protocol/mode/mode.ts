/**
 * `sync_mode` by evidence: one transition table with hysteresis.
 *
 *   gossip reaches a member               → P2P
 *   else an HTTP exchange was fresh       → HTTP
 *   else                                  → NONE
 *
 * Leaving P2P is immediate, coming back needs gossip to have reached someone for `returnAfterMs` without a break, so that
 * a lung that flickers does not make the mode flicker. From NONE any breath counts at once. A forced mode is a lung
 * that alone may carry: where it does not, the honest answer is NONE.
 */
import type { SyncMode } from '../events.ts';

export interface ModeOptions {
  /** How long P2P evidence must hold before HTTP hands back, in ms. Default 300: a bit more than one heartbeat. A guess, to be measured. */
  readonly returnAfterMs: number;
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
}

export const INITIAL_MODE: ModeState = { mode: 'NONE', forced: null, p2pSince: null };

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
  return {
    state: { mode, forced: state.forced, p2pSince },
    reason: mode === state.mode ? null : reasonFor(mode, state.forced, evidence),
  };
}

function decide(state: ModeState, evidence: ModeEvidence, now: number, options: ModeOptions): SyncMode {
  const p2p = state.p2pSince !== null;
  const http = evidence.httpReached > 0;
  switch (state.forced) {
    case 'P2P':
      return p2p ? 'P2P' : 'NONE';
    case 'HTTP':
      return http ? 'HTTP' : 'NONE';
    case null:
      if (!p2p) return http ? 'HTTP' : 'NONE';
      if (state.mode === 'HTTP' && http && now - (state.p2pSince ?? now) < options.returnAfterMs)
        return 'HTTP';
      return 'P2P';
  }
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
