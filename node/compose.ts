/**
 * Composition root: the one file that names concrete classes and makes them meet.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { lookup, Resolver } from 'node:dns/promises';
import { statSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { availableParallelism, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';
import { scopedKeysOf } from './config/scope.ts';
import { createApp } from './http/app.ts';
import type { HttpServer } from './http/server.ts';
import { CALM, headStartMs } from './lungs/pace.ts';
import { Holders } from './lungs/http/holders.ts';
import { HttpLung } from './lungs/http/http-lung.ts';
import { memberKeyOf } from './lungs/http/member.ts';
import type { HttpListen } from './lungs/p2p/http-ports.ts';
import { claimsMembership, memberMiddleware, syncRoute } from './lungs/http/routes.ts';
import { P2pLung, type P2pModules } from './lungs/p2p/p2p-lung.ts';
import { EventLog } from './observe/events.ts';
import { watchedClock } from './observe/lag.ts';
import type { NodeLogger } from './observe/logger.ts';
import { meteredApi, NodeMetrics } from './observe/metrics.ts';
import { memoryLimitBytes, stateBytesMaxOf } from './memory.ts';
import type {
  Clock,
  Identity,
  Keeper,
  Logger,
  LungSink,
  NodeStatus,
  Storage,
  StoreFault,
  ToldMember,
} from './ports.ts';
import { TOLD_ADDRESSES_MAX } from './ports.ts';
import { Core, type CoreOptions } from './protocol/core.ts';
import { CORE_DEFAULTS } from './protocol/defaults.ts';
import type { LatticeEvent, LungName } from './protocol/events.ts';
import type { NodeId } from './protocol/ids.ts';
import type { Loss } from './protocol/state/loss.ts';
import { Acquaintances, ACQUAINTANCES_DEFAULTS } from './runtime/acquaintances.ts';
import { Api } from './runtime/api.ts';
import { Discovery } from './runtime/discovery.ts';
import { Driver, DRIVER_DEFAULTS } from './runtime/driver.ts';
import { Healing } from './runtime/healing.ts';
import { Intake, INTAKE_DEFAULTS } from './runtime/intake.ts';
import { Introductions, INTRODUCTIONS_DEFAULTS, INTRODUCTIONS_TO_HTTP } from './runtime/introductions.ts';
import { Lifecycle } from './runtime/lifecycle.ts';
import { replicaNumber } from './runtime/replica-number.ts';
import { describeFault, describeLoss, restore, type Restored } from './runtime/restore.ts';
import { SecondLung } from './runtime/second-lung.ts';
import { RevivingLung } from './runtime/reviving-lung.ts';
import { VERIFYING_DEFAULTS, VerifyingThreads } from './signing/verifying-threads.ts';
import { IDENTITY_FILE, loadOrCreateIdentity } from './storage/identity.ts';
import { LmdbStorage } from './storage/lmdb-storage.ts';
import { markStore, readPast, recordAcceptedLoss, STORE_DIR, takeAwayAcceptance } from './storage/past.ts';
import { tellSlot } from './storage/slot-news.ts';
import { StateWatch } from './storage/state-watch.ts';
import { letAnswer } from './turns.ts';

const P2P_RETRY_MS = 5_000;
const DRAIN_MS = 2_000;
/** Three verify about as much as the node's thread can merge. */
const VERIFYING_THREADS_MAX = 3;

const systemClock = watchedClock({
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
});

/**
 * Opens the store and builds the node. Throws what the store and the identity throw.
 *
 * @param server listens already, and gets its app when the node starts
 * @param apiToken the token of now; a reload may change it
 */
export async function composeNode(
  given: Config,
  logger: NodeLogger,
  server: HttpServer,
  apiToken: () => string | null,
): Promise<Lifecycle> {
  const { config, slot } = await onGround(given, logger);
  const { stateDir } = config;
  const { hadStore, hadIdentity, acceptsLoss } = readPast(stateDir);
  // Who may go on without what is lost: members may bring it back, or the operator has given it up.
  const maySalvage = !isAlone(config) || acceptsLoss;
  const identity = await loadOrCreateIdentity(stateDir, { mayCreate: !hadIdentity || acceptsLoss });
  const storage = await LmdbStorage.open(
    join(stateDir, STORE_DIR),
    { salvage: maySalvage, isExpected: hadStore },
    { identity, logger },
  );
  for (const repair of storage.repairs)
    logger.error('the store was damaged', { tag: 'STARTUP', detail: repair });
  try {
    leaveMark({ stateDir, storage, logger });
    const modules = {
      storage,
      newCore: () => newCore(config, identity),
      clock: systemClock,
      turn: letAnswer,
    };
    const restored = await restore(modules, { stateDir, isAlone: !maySalvage });
    if (acceptsLoss) await giveUp(restored, { stateDir, storage, logger });
    const { core } = restored;
    const { faults, loss } = acceptsLoss ? NOTHING_LOST : restored;
    const files = [resolve(stateDir, IDENTITY_FILE), storage.file];
    const stateWatch = new StateWatch({ clock: systemClock, logger }, files);
    const opened = { identity, storage, stateWatch, core, faults, loss };
    return assemble({ config, slot, logger, server, apiToken, ...opened });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** Without it nothing is entrusted to a new store; one that holds something already goes on being served, on a full disk too. */
function leaveMark({
  stateDir,
  storage,
  logger,
}: {
  stateDir: string;
  storage: Storage;
  logger: Logger;
}): void {
  try {
    markStore(stateDir);
  } catch (error) {
    if (storage.load().meta === null) throw error;
    logger.warn('the state directory could not be marked; a store that is lost would not be missed', {
      tag: 'STARTUP',
      error: String(error),
    });
  }
}

const NOTHING_LOST = { faults: [], loss: null } as const;

/** The operator goes on without what is lost: it is named, on record, and then the store counts as whole. */
async function giveUp(
  { core, faults, believed }: Restored,
  { stateDir, storage, logger }: { stateDir: string; storage: Storage; logger: Logger },
): Promise<void> {
  if (faults.length > 0) {
    const record = recordAcceptedLoss(stateDir, faults.map(describeLoss), new Date());
    logger.error('the operator gave up what the store lost', {
      tag: 'STARTUP',
      faults: faults.length,
      record,
    });
    for (const fault of faults) logger.error('given up', { tag: 'STARTUP', ...describeFault(fault) });
    // Without what was seen: a member that comes later with what was lost would be told that it was replaced.
    if (believed !== null) await storage.commit({ put: [], remove: [], meta: believed });
    await storage.mend();
    core.setLoss(null);
  }
  takeAwayAcceptance(stateDir);
}

/** Where replicas share a volume, the state directory is the slot that this one takes for as long as it lives. */
async function onGround(
  config: Config,
  logger: Logger,
): Promise<{ readonly config: Config; readonly slot: number | null }> {
  const { stateSlots, discoveryDns, clusterKeyFile } = config;
  if (stateSlots === null) return { config, slot: null };
  const [service = null] = discoveryDns?.split('.') ?? [];
  const number =
    service === null ? null : await replicaNumber({ namesOf, addresses: ownAddresses() }, service);
  // Its lock comes in a package with native code, which only replicas with slots need.
  const { takeSlot } = await import('./storage/slots.ts');
  const slot = await takeSlot({ dir: stateSlots, place: number === null ? null : number - 1 });
  const keyMadeAt = clusterKeyFile === null ? null : statSync(clusterKeyFile).mtimeMs;
  tellSlot(logger, slot, keyMadeAt, Date.now());
  return { config: { ...config, stateDir: slot.dir }, slot: slot.number };
}

/** Without any configured way to others: nobody to wait for, and nobody to heal from. */
function isAlone({ latticeNodes, p2p, discoveryDns }: Config): boolean {
  return latticeNodes.length === 0 && p2p.bootstrap.length === 0 && discoveryDns === null;
}

interface Assembled {
  readonly config: Config;
  readonly slot: number | null;
  readonly logger: NodeLogger;
  readonly server: HttpServer;
  readonly apiToken: () => string | null;
  readonly identity: Identity;
  readonly storage: Storage & Keeper;
  readonly stateWatch: StateWatch;
  readonly core: Core;
  /** what was missing when it was restored */
  readonly faults: readonly StoreFault[];
  readonly loss: Loss | null;
}

function newCore(config: Config, identity: Identity): Core {
  return new Core(
    {
      self: identity.id,
      sign: (bytes) => identity.sign(bytes),
      signsLater: true,
      rng: Math.random,
      sketchSalt: sketchSaltOf(scopedKeysOf(config).own),
    },
    coreOptions(config),
  );
}

function assemble(assembled: Assembled): Lifecycle {
  const { config, slot, logger, server, apiToken, identity, storage, stateWatch, core, faults, loss } =
    assembled;
  const clock = systemClock;
  for (const fault of faults)
    logger.error('the store lost a record', { tag: 'STARTUP', ...describeFault(fault) });

  const metrics = new NodeMetrics({ status: () => api.status(), dropped: () => logger.dropped() });
  const httpListen = (): HttpListen => ({ host: config.http.host, port: server.port });
  const p2pBytes = metrics.bytesOf('p2p');
  const keys = scopedKeysOf(config);
  const memberKey = memberKeyOf(keys.own);
  const holders = new Holders({
    self: identity.id,
    instance: randomBytes(16).toString('hex'),
    sinceMs: clock.wallMs(),
    sign: (bytes) => identity.sign(bytes),
    clock,
  });
  const httpLung = new HttpLung(
    {
      self: identity.id,
      key: memberKey,
      clock,
      logger,
      holders,
      onBytes: metrics.bytesOf('http'),
      listen: httpListen,
    },
    { urls: config.latticeNodes, proxies: config.proxies },
  );
  const p2pLung = config.p2p.enabled
    ? new RevivingLung(
        {
          make: () =>
            newP2pLung(config, {
              identity,
              clock,
              logger,
              rng: Math.random,
              onBytes: p2pBytes,
              httpListen,
              tell: () => tell(),
            }),
          clock,
          revived: (error) => lifecycle.p2pRevived(error),
        },
        { name: 'p2p', retryMs: P2P_RETRY_MS },
      )
    : null;

  const events = new EventLog({ logger, clock, metrics, urlOf: (peer) => httpLung.urlOf(peer) });
  const emit = (event: LatticeEvent): void => {
    events.publish(event);
    healing.observe(event);
  };
  const driver = new Driver(
    {
      core,
      keeper: {
        prepare: (drafts) => storage.prepare(drafts),
        keep: (batch) =>
          stateWatch.failure === null ? storage.keep(batch) : Promise.reject(stateWatch.failure),
      },
      clock,
      logger,
      emit,
      lungs: p2pLung === null ? { http: httpLung } : { http: httpLung, p2p: p2pLung },
      stepped: (seconds) => metrics.observeStep(seconds),
      committed: (seconds) => metrics.observeCommit(seconds),
    },
    DRIVER_DEFAULTS,
  );
  const healing = new Healing(
    {
      replica: core.replica,
      peers: () => core.peers(),
      settled: () => driver.settled(),
      mend: () => storage.mend(),
      healed: () => core.setLoss(null),
      clock,
      logger,
    },
    loss === null ? null : { loss, faults },
  );
  const putOffMs = (): number => headStartMs({ ...CALM, lagMs: clock.lagMs() });
  const tell = (): readonly ToldMember[] =>
    reachedOf(core).map((peer) => ({
      peer,
      addresses: [
        ...(p2pLung?.current.addressesOf(peer) ?? []).slice(0, TOLD_ADDRESSES_MAX - 1),
        ...(httpLung.isAnswering(peer) ? [httpLung.urlOf(peer) ?? []].flat() : []),
      ],
    }));
  const toP2p = new Introductions(
    {
      clock,
      isKnown: (peer) => core.peers().some(({ id, p2p }) => id === peer && p2p.state === 'alive'),
      addressesOf: (peer) => httpLung.p2pAddressesOf(peer),
      introduce: (address) => p2pLung?.addAddress(address),
      putOffMs,
    },
    INTRODUCTIONS_DEFAULTS,
  );
  const toHttp = new Introductions(
    {
      clock,
      isKnown: (peer) => httpLung.isAnswering(peer),
      addressesOf: async (peer) => (await p2pLung?.current.httpUrlsOf(peer)) ?? null,
      introduce: (url) => httpLung.addAddress(url),
      putOffMs,
    },
    INTRODUCTIONS_TO_HTTP,
  );
  const met = (peer: NodeId, lung: LungName): void => {
    if (p2pLung !== null) (lung === 'http' ? toP2p : toHttp).met(peer);
    acquaintances.met(peer);
  };
  const acquaintances = new Acquaintances(
    {
      clock,
      rng: Math.random,
      self: identity.id,
      reached: () => reachedOf(core),
      isMissing: () => core.members().absent.some(({ countsUntilMs }) => countsUntilMs !== null),
      ask: async (peer) => (await p2pLung?.current.membersOf(peer)) ?? (await httpLung.membersOf(peer)),
      introduce: (address) => {
        if (address.startsWith('/')) p2pLung?.addAddress(address, true);
        else httpLung.addAddress(address, true);
      },
    },
    ACQUAINTANCES_DEFAULTS,
  );
  const verifier = new VerifyingThreads({ logger }, { ...VERIFYING_DEFAULTS, threads: verifyingThreads() });
  const intake = new Intake({ driver, core, verifier, emit, met }, INTAKE_DEFAULTS);
  const secondLung = new SecondLung({
    clock,
    logger,
    p2pReached: () =>
      p2pLung === null ? null : core.peers().filter(({ p2p }) => p2p.state === 'alive').length,
    httpReached: () => httpLung.answering,
    proxies: () => httpLung.proxiesInUse(),
  });
  const api = new Api({
    driver,
    core,
    identity,
    healing,
    surroundings: {
      name: config.nodeName,
      slot,
      p2p: (): NodeStatus['p2p'] => ({
        enabled: config.p2p.enabled,
        started: p2pLung?.isStarted ?? false,
        error: lifecycle.p2pError,
        topic: config.p2p.topic,
        listenMultiaddrs: p2pLung?.current.listenMultiaddrs() ?? [],
        bootstrapPeers: config.p2p.bootstrap,
      }),
      httpUrls: () => httpLung.urls(),
      urlOf: (peer) => httpLung.urlOf(peer),
      warnings: () => secondLung.warnings(),
      subscribe: (listener) => events.subscribe(listener),
      isAlone: isAlone(config),
      storeFailure: () => stateWatch.failure,
    },
  });

  const sink: LungSink = (event) => httpLung.sink(event);
  const app = createApp(
    {
      api: meteredApi(api, metrics),
      metricsText: () => metrics.text(),
      logger,
      extensions: [
        memberMiddleware({
          self: identity.id,
          key: memberKey,
          acceptedKey: keys.accepted === null ? null : memberKeyOf(keys.accepted),
          clock,
          sink,
          records: () => core.replica.recordCount(),
          isHealing: () => core.isHealing,
          onAsker: (member, host, port) => httpLung.askedBy(member, host, port),
          onBytes: metrics.bytesOf('http'),
          holders,
        }),
        syncRoute({ clock, sink }),
      ],
      // POST to the sync route is no hot route, so it takes the long way whatever it claims.
      isExtensions: claimsMembership,
    },
    {
      get apiToken() {
        return apiToken();
      },
      insecure: config.api.insecure,
    },
  );

  const lifecycle = new Lifecycle(
    {
      driver,
      intake,
      storage,
      logger,
      server: {
        serve: () => {
          server.serve(app);
          return server.port;
        },
        close: () => server.close(),
      },
      http: httpLung,
      p2p: p2pLung,
      introductions: [toP2p, toHttp, acquaintances],
      healing,
      secondLung,
      stateWatch,
      discovery: newDiscovery(config, clock, logger, (ip) => {
        p2pLung?.addAddress(`/ip${isIPv6(ip) ? 6 : 4}/${ip}/tcp/${p2pPortOf(config)}`);
        httpLung.addAddress(`http://${isIPv6(ip) ? `[${ip}]` : ip}:${config.http.port}`);
      }),
    },
    {
      peerId: identity.id,
      httpPeers: config.latticeNodes.length,
      discoveryName: config.discoveryDns,
      drainMs: DRAIN_MS,
    },
  );
  return lifecycle;
}

/** Members that one lung or the other reaches now. */
function reachedOf(core: Core): readonly NodeId[] {
  return core
    .peers()
    .filter(({ p2p, http }) => p2p.state === 'alive' || http.state === 'alive')
    .map(({ id }) => id);
}

/** One processor is for the node's own thread. */
function verifyingThreads(): number {
  return Math.min(Math.max(1, availableParallelism() - 1), VERIFYING_THREADS_MAX);
}

/** Every member derives the same, and nobody else can: see `ShortIds`. */
function sketchSaltOf(clusterKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', clusterKey, new Uint8Array(0), 'aethel/sketch/v1', 32));
}

function coreOptions(config: Config): CoreOptions {
  const { heartbeatIntervalMs, suspicionMs, httpPollIntervalMs, memberAbsenceMs } = config;
  const { policy, detector } = CORE_DEFAULTS;
  const restBeatMs = Math.max(heartbeatIntervalMs, Math.min(2 * heartbeatIntervalMs, suspicionMs / 2));
  // Two heartbeats lost and a little, but always before the verdict.
  const suspectMs = Math.min(suspicionMs * 0.8, Math.max(suspicionMs * 0.6, heartbeatIntervalMs * 2.4));
  return {
    ...CORE_DEFAULTS,
    stateBytesMax: config.stateBytesMax ?? stateBytesMaxOf(memoryLimitBytes()),
    policy: {
      ...policy,
      beatMs: heartbeatIntervalMs,
      restBeatMs,
      warmPollMs: httpPollIntervalMs,
      absenceMs: memberAbsenceMs,
    },
    detector: {
      ...detector,
      suspicionMs,
      suspectMs,
      restingSuspectMs: Math.min(suspicionMs * 0.8, Math.max(suspectMs, restBeatMs * 1.4)),
      httpWarmMs: httpPollIntervalMs * 2.5,
    },
  };
}

function newP2pLung(config: Config, modules: P2pModules): P2pLung {
  const { listen, topic, bootstrap, startTimeoutMs } = config.p2p;
  const { own: clusterKey, accepted: acceptedKey } = scopedKeysOf(config);
  return new P2pLung(modules, { listen, topic, clusterKey, acceptedKey, bootstrap, startTimeoutMs });
}

/** Replicas of one service share their ports, so a member's address is its IP and our own ports. */
function newDiscovery(
  config: Config,
  clock: Clock,
  logger: Logger,
  found: (ip: string) => void,
): Discovery | null {
  if (config.discoveryDns === null) return null;
  return new Discovery(
    {
      clock,
      logger,
      resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
      ownAddresses: () => new Set(ownAddresses()),
      found,
      onlyIpv4: onlyIpv4(config),
    },
    { name: config.discoveryDns, intervalMinMs: 500, intervalMaxMs: 5_000 },
  );
}

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
}

/** Not `reverse`, which reads /etc/hosts before it asks. */
function namesOf(address: string): Promise<readonly string[]> {
  return new Resolver().resolvePtr(`${address.split('.').toReversed().join('.')}.in-addr.arpa`);
}

/** Settings by which this node listens on IPv4 only. A host that is a name may be either. */
function onlyIpv4({ http, p2p }: Config): readonly string[] {
  return [
    ...(isIPv4(http.host) ? ['AETHEL_HTTP_HOST'] : []),
    ...(p2p.enabled && p2p.listen.every((address) => address.startsWith('/ip4/'))
      ? ['AETHEL_P2P_LISTEN']
      : []),
  ];
}

function p2pPortOf(config: Config): string {
  return /\/tcp\/(\d+)/.exec(config.p2p.listen[0] ?? '')?.[1] ?? '9000';
}
