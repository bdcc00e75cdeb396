/**
 * The page's copy of the room: a snapshot from the server, then the same events through the same reduce. Whatever arrived
 * since the last frame is taken at once and drawn once, so that a busy cluster costs frames no more than a quiet one.
 */
import { useEffect, useState } from 'preact/hooks';
import { reduceRoom } from '../room/reduce.ts';
import type { Command } from '../room/commands.ts';
import type { RoomEvent, RoomView } from '../room/model.ts';

/** The server says something twice a second; silence that long means that what is shown is old. */
const STALE_MS = 2500;
const LOOK_EVERY_MS = 250;
/** A page in a hidden tab gets no frames; it must not gather events for ever. */
const WAITING_MAX = 5000;

export interface Shown {
  /** null before the first snapshot */
  readonly view: RoomView | null;
  /** nothing was heard for a while: the picture is that of then */
  readonly isStale: boolean;
}

export interface Room {
  readonly shown: () => Shown;
  /** of the server, now: what it said last and the time since then; stands still while stale */
  readonly now: () => number;
  /** @returns how to stop listening */
  readonly onChange: (listener: () => void) => () => void;
  /** told of events as they are taken, for what is motion and not state */
  readonly onEvent: (listener: (event: RoomEvent) => void) => () => void;
  /** @returns null when done, else why not */
  readonly send: (command: Command) => Promise<string | null>;
}

export function openRoom(): Room {
  const listeners = new Set<() => void>();
  const watchers = new Set<(event: RoomEvent) => void>();
  let shown: Shown = { view: null, isStale: false };
  let waiting: RoomEvent[] = [];
  let heardAt = performance.now();
  let frame = 0;

  const change = (next: Shown): void => {
    shown = next;
    for (const listener of listeners) listener();
  };
  const take = (): void => {
    frame = 0;
    const events = waiting;
    waiting = [];
    if (shown.view === null) return;
    change({ view: events.reduce(reduceRoom, shown.view), isStale: false });
    for (const event of events) for (const watcher of watchers) watcher(event);
  };

  const source = new EventSource('room/events');
  source.addEventListener('snapshot', (message) => {
    heardAt = performance.now();
    waiting = [];
    change({ view: JSON.parse(message.data) as RoomView, isStale: false });
  });
  source.addEventListener('events', (message) => {
    heardAt = performance.now();
    waiting.push(...(JSON.parse(message.data) as readonly RoomEvent[]));
    if (waiting.length > WAITING_MAX) take();
    else if (frame === 0) frame = requestAnimationFrame(take);
  });
  setInterval(() => {
    const isStale = performance.now() - heardAt > STALE_MS;
    if (isStale !== shown.isStale) change({ ...shown, isStale });
  }, LOOK_EVERY_MS);

  return {
    shown: () => shown,
    now: () =>
      (shown.view?.cluster.now ?? 0) + (shown.isStale ? 0 : Math.min(STALE_MS, performance.now() - heardAt)),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onEvent: (watcher) => {
      watchers.add(watcher);
      return () => watchers.delete(watcher);
    },
    send,
  };
}

async function send(command: Command): Promise<string | null> {
  const token = document.querySelector<HTMLMetaElement>('meta[name="aethel-room-token"]')?.content ?? '';
  try {
    const response = await fetch('room/command', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-aethel-room-token': token },
      body: JSON.stringify(command),
    });
    if (response.ok) return null;
    const problem = (await response.json()) as { readonly detail?: unknown };
    return typeof problem.detail === 'string' ? problem.detail : `HTTP ${response.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Draws anew with every change of the room. */
export function useShown(room: Room): Shown {
  const [, redraw] = useState(0);
  useEffect(() => room.onChange(() => redraw((count) => count + 1)), [room]);
  return room.shown();
}
