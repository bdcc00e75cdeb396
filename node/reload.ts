/**
 * What a reload (SIGHUP) changes: the log's settings, and the API token. Everything else is built into lungs, store and peers' knowledge of
 * this node, and needs a restart; the operator is told which setting that is.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './config.ts';

export interface ReloadPlan {
  /** the configuration that runs from now on */
  readonly config: Config;
  /** names of settings that were changed and taken over; the log's file is opened anew in any case */
  readonly changed: readonly string[];
  /** names of settings that were changed and keep their old values until a restart */
  readonly needRestart: readonly string[];
}

/**
 * @param running what the node runs with
 * @param read what the environment says now
 */
export function planReload(running: Config, read: Config): ReloadPlan {
  const isTokenGone = running.api.token !== null && read.api.token === null;
  // Without a token more people may write: no slip of an editor opens the node.
  const token = isTokenGone ? running.api.token : read.api.token;
  const config: Config = {
    ...running,
    log: read.log,
    warnings: read.warnings,
    api: { ...running.api, token },
  };
  return {
    config,
    changed: differences(running, config),
    needRestart: differences(config, read),
  };
}

type SettingNames = {
  readonly [K in Exclude<keyof Config, 'envFile' | 'warnings'>]: Config[K] extends
    | string
    | number
    | boolean
    | null
    | Uint8Array
    | readonly unknown[]
    ? string
    : { readonly [J in keyof Config[K]]: string };
};

/** A field of the configuration that is missing here does not compile. */
const SETTINGS: SettingNames = {
  nodeName: 'AETHEL_NODE_NAME',
  http: { host: 'AETHEL_HTTP_HOST', port: 'AETHEL_HTTP_PORT' },
  p2p: {
    enabled: 'AETHEL_P2P_ENABLED',
    listen: 'AETHEL_P2P_LISTEN',
    topic: 'AETHEL_P2P_TOPIC',
    bootstrap: 'AETHEL_P2P_BOOTSTRAP',
    startTimeoutMs: 'AETHEL_P2P_START_TIMEOUT_MS',
  },
  latticeNodes: 'AETHEL_LATTICE_NODES',
  discoveryDns: 'AETHEL_DISCOVERY_DNS',
  stateDir: 'AETHEL_STATE_DIR',
  stateSlots: 'AETHEL_STATE_SLOTS',
  stateBytesMax: 'AETHEL_STATE_BYTES_MAX',
  clusterKey: 'AETHEL_CLUSTER_KEY',
  clusterKeyFile: 'AETHEL_CLUSTER_KEY_FILE',
  acceptedKey: 'AETHEL_CLUSTER_KEY_ACCEPTED',
  clusterName: 'AETHEL_CLUSTER_NAME',
  api: { token: 'AETHEL_API_TOKEN', insecure: 'AETHEL_API_INSECURE' },
  heartbeatIntervalMs: 'AETHEL_HEARTBEAT_INTERVAL_MS',
  suspicionMs: 'AETHEL_SUSPICION_MS',
  httpPollIntervalMs: 'AETHEL_HTTP_POLL_INTERVAL_MS',
  memberAbsenceMs: 'AETHEL_MEMBER_ABSENCE_MS',
  proxies: { http: 'HTTP_PROXY', https: 'HTTPS_PROXY', exempt: 'NO_PROXY' },
  log: { level: 'AETHEL_LOG_LEVEL', format: 'AETHEL_LOG_FORMAT', file: 'AETHEL_LOG_FILE' },
};

function differences(a: Config, b: Config): readonly string[] {
  return Object.entries(SETTINGS).flatMap(([field, names]: [string, string | Record<string, string>]) => {
    const [one, other] = [valueAt(a, field), valueAt(b, field)];
    if (typeof names === 'string') return isDeepStrictEqual(one, other) ? [] : [names];
    return Object.entries(names)
      .filter(([inner]) => !isDeepStrictEqual(valueAt(one, inner), valueAt(other, inner)))
      .map(([, name]) => name);
  });
}

function valueAt(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
