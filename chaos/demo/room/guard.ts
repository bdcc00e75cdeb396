/**
 * Who may talk to the control room: the page that it served itself, on this machine. The room breaks nodes on request, so
 * a page of another site that the same browser shows must neither steer it nor read it.
 *
 *   Host     must be a loopback name with our port: a foreign name that was made to point here (DNS rebinding) is refused
 *   Origin   where the browser names one, it must be ours; what changes something must name it
 *   token    what changes something carries the token of this start in a header of its own, which a form cannot send and a
 *            foreign script cannot without asking first (and nobody answers that question); the page has it in its HTML
 */
import { timingSafeEqual } from 'node:crypto';
import { TOKEN_HEADER } from '../../../dashboard/room/commands.ts';

export interface Door {
  readonly token: string;
  /** as a browser on this machine names us: `127.0.0.1:7000` */
  readonly hosts: readonly string[];
}

interface Visit {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The names by which loopback is called; `port` is the one that the browser sees. */
export function loopbackHosts(port: number): readonly string[] {
  return [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`];
}

/** @returns why the visit is refused, as the detail of a 403; null: come in */
export function refusalOf(visit: Visit, door: Door): string | null {
  const { host, origin } = visit.headers;
  if (typeof host !== 'string' || !door.hosts.includes(host.toLowerCase())) {
    return `Host must be one of ${door.hosts.join(', ')}.`;
  }
  if (origin !== undefined && origin !== `http://${host}`) return 'Origin is another site.';
  const site = visit.headers['sec-fetch-site'];
  const isNavigation = visit.headers['sec-fetch-mode'] === 'navigate' && visit.method === 'GET';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isNavigation) {
    return 'The request comes from another site.';
  }
  if (visit.method === 'GET' || visit.method === 'HEAD') return null;
  if (origin === undefined) return 'Origin is missing.';
  return isToken(visit.headers[TOKEN_HEADER], door.token) ? null : `${TOKEN_HEADER} is missing or wrong.`;
}

function isToken(given: string | readonly string[] | undefined, token: string): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
