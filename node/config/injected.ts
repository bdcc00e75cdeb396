/**
 * Variables that an engine puts into every container beside a service or container whose name begins with "aethel":
 * Kubernetes for each service of the namespace, Docker for each link. They look like settings and are none.
 *
 *   AETHEL_NODE_SERVICE_HOST, AETHEL_SERVICE_PORT_HTTP, AETHEL_PORT=tcp://10.0.0.1:8000, AETHEL_PORT_8000_TCP_ADDR
 *   of a link also AETHEL_NODE_NAME=/consumer/aethel-node and AETHEL_NODE_ENV_PATH
 *
 * A service may be called aethel-http: AETHEL_HTTP_PORT=tcp://… is no port of ours either.
 */
import type { Env } from './values.ts';

export interface Sifted {
  readonly given: Env;
  /** names, in order */
  readonly injected: readonly string[];
}

export function withoutInjected(env: Env): Sifted {
  const links = Object.keys(env).flatMap((name) =>
    isLinkName(name, env[name]) ? [name.slice(0, -'NAME'.length)] : [],
  );
  const isInjected = (name: string): boolean =>
    name.startsWith('AETHEL_') &&
    (isOfService(name, env[name]) ||
      links.some((prefix) => name === `${prefix}NAME` || name.startsWith(`${prefix}ENV_`)));
  const injected = Object.keys(env).filter(isInjected).sort();
  if (injected.length === 0) return { given: env, injected };
  return {
    given: Object.fromEntries(Object.entries(env).filter(([name]) => !injected.includes(name))),
    injected,
  };
}

function isOfService(name: string, value = ''): boolean {
  return (
    /^AETHEL(_[A-Z0-9_]+)?_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name) ||
    /^AETHEL(_[A-Z0-9_]+)?_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR|START|END)(_(START|END))?)?$/.test(
      name,
    ) ||
    (/^AETHEL(_[A-Z0-9_]+)?_PORT(_\d+_(TCP|UDP|SCTP))?$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value))
  );
}

function isLinkName(name: string, value = ''): boolean {
  return /^AETHEL(_[A-Z0-9_]+)?_NAME$/.test(name) && /^\/[^/\s]+\/[^/\s]+$/.test(value);
}
