/**
 * The second lung: asks members over HTTP. It knows base URLs; which member lives behind one it learns from a signed answer,
 * and asks again when that one falls silent, since addresses are reassigned and nodes come back as others.
 *
 *   unknown URL ──probe answers──▶ link up, heard         probes: 250 ms, doubling with jitter to 10 s
 *   poll ──▶ heard | silent       ask ──▶ answered | unanswered
 *   3 failures in a row, or another member refused what was addressed to this one ──▶ the URL is probed again;
 *   the member stays mapped to it until another answers there
 *
 * Whether silence means death is the detector's to say: a link goes down here only when another member answers at the URL
 * or when the URL is forgotten.
 */
import assert from 'node:assert/strict';
import type { Clock, CountBytes, Logger, Lung, LungEffect, LungEvent, LungSink } from '../../ports.ts';
import type { ToldMember } from '../../ports.ts';
import { EXCHANGE_BYTES_MAX, TOLD_MEMBERS_MAX } from '../../ports.ts';
import type { Beacon } from '../../protocol/border.ts';
import { isNodeId, type Digest, type NodeId } from '../../protocol/ids.ts';
import type { SizeDoubt } from '../../protocol/sync/loads.ts';
import { DeadAddresses } from '../dead-addresses.ts';
import { InTurns } from '../in-turns.ts';
import { atOnce, CALM, type Strain } from '../pace.ts';
import { askState } from './ask-state.ts';
import type { Holders } from './holders.ts';
import { Holding, HOLDING_DEFAULTS, type HoldingOptions } from './holding.ts';
import { MemberClient, parseJson, type Answer, type Call } from './member-client.ts';
import { STATE_PATH, SYNC_PATH, type MemberKey } from './member.ts';
import { isLoopbackHost, poolFor, type Proxies } from './proxies.ts';
import { idleSocketsEnd, newSite, normalUrl, type Site } from './sites.ts';

export interface HttpLungModules {
  readonly self: NodeId;
  readonly key: MemberKey;
  readonly clock: Clock;
  readonly logger: Logger;
  /** of what this side asks, heads included; what it answers is counted by the routes (routes.ts) */
  readonly onBytes?: CountBytes;
  /** where this node answers HTTP, told to whom it asks; null or absent: nowhere */
  readonly listen?: () => { readonly host: string; readonly port: number } | null;
  /** whether somebody else has our identity; without it nobody is told */
  readonly holders?: Holders;
}

export interface HttpLungOptions {
  /** base URLs of members; kept for ever, unless one turns out to be our own */
  readonly urls: readonly string[];
  /** ms for dialling and answering, beyond what a poll is held; default 1000 (bounds how late a black hole is noticed) */
  readonly answerMs?: number;
  /** first and longest pause between probes of a URL, ms; default 250 and 10000 (the contract's poll interval) */
  readonly probeFirstMs?: number;
  readonly probeMaxMs?: number;
  /** failures in a row after which a URL is probed again and counts as one that does not answer; default 3 (a guess; one lost packet is no reason) */
  readonly failuresMax?: number;
  /** ms after which a discovered URL that does not answer is forgotten; default 600000 */
  readonly addressForgetMs?: number;
  /** URLs known at most; default 1024 (a guess, several times a large cluster) */
  readonly sitesMax?: number;
  /** when polls are not held any more; see there */
  readonly holding?: HoldingOptions;
  /** ways to members that are not straight ones; default none */
  readonly proxies?: Proxies;
}

type Knobs = Required<HttpLungOptions>;
type PollEffect = Extract<LungEffect, { type: 'poll' }>;
type AskEffect = Extract<LungEffect, { type: 'ask' }>;
type Believed = Extract<Answer, { kind: 'believed' }>;

/** A state is a few hundred bytes; its signature and future fields fit many times. */
const STATE_BYTES_MAX = 65_536;
/** the contract's longest `wait` */
const WAIT_MS_MAX = 30_000;
/** after a probe under way, which does not say it yet */
const TELL_AGAIN_MS = 250;
const IDENTITY_PATH = '/api/lattice/p2p/identity';
const STATUS_PATH = '/api/lattice/p2p/status';
const P2P_ADDRESSES_MAX = 16;
/** A member behind a translator or a proxy is never where it is seen; one that moved is tried at once, and one that lies now and then. */
const ASKER_AGAIN_MS = 30_000;
const ASKER_MOVED_MS = 2_000;
const NO_BODY = new Uint8Array(0);
const NO_PROXIES: Proxies = { http: null, https: null, exempt: [] };
/** Of a calm node: so many silent hosts keep the others waiting for a second. A guess. */
const PROBES_AT_ONCE = 64;
const TAG = 'HTTP_SYNC';

export class HttpLung implements Lung {
  readonly name = 'http';
  /** What the routes that answer (routes.ts) report to: the same sink, while the lung breathes. */
  readonly sink: LungSink = (event) => this.#emit(event);
  readonly #modules: HttpLungModules;
  readonly #knobs: Knobs;
  readonly #client: MemberClient;
  /** for questions that can wait: who lives there, where it listens */
  readonly #turns: InTurns;
  readonly #sites = new Map<string, Site>();
  readonly #siteOf = new Map<NodeId, Site>();
  /** URLs that turned out to be ours, and since when (monotonic ms) */
  readonly #own = new Map<string, number>();
  readonly #polls = new Map<NodeId, AbortController>();
  readonly #underWay = new Map<AbortController, Promise<void>>();
  readonly #dead: DeadAddresses;
  /** where members that ask were last tried, and when, monotonic ms */
  readonly #askersTried = new Map<NodeId, { readonly url: string; readonly at: number }>();
  #isStopped = false;
  #sink: LungSink | null = null;
  #isWarned = false;

  constructor(modules: HttpLungModules, options: HttpLungOptions) {
    this.#modules = modules;
    this.#knobs = {
      answerMs: 1000,
      probeFirstMs: 250,
      probeMaxMs: 10_000,
      failuresMax: 3,
      addressForgetMs: 600_000,
      sitesMax: 1024,
      holding: HOLDING_DEFAULTS,
      proxies: NO_PROXIES,
      ...options,
    };
    const strain = (): Strain => ({ ...CALM, lagMs: modules.clock.lagMs?.() ?? 0 });
    this.#client = new MemberClient({
      onBytes: ignoreBytes,
      ...modules,
      portFor: (url) => this.#portFor(url),
      strain,
    });
    this.#turns = new InTurns(() => atOnce(PROBES_AT_ONCE, strain()));
    this.#dead = new DeadAddresses(modules, TAG);
    modules.holders?.listen(
      (peer) => this.#tellSoon(peer),
      (twin) => this.#emit({ type: 'twin', ...twin }),
    );
    for (const url of options.urls) this.#add(url, 'configured');
  }

  async start(sink: LungSink): Promise<void> {
    assert(this.#sink === null, 'a lung starts once');
    if (this.#isStopped) return;
    this.#sink = sink;
    for (const site of this.#sites.values()) this.#probe(site);
    await Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const controller of this.#underWay.keys()) controller.abort();
    for (const site of this.#sites.values()) {
      site.cancelProbe?.();
      site.agent.destroy();
    }
    await Promise.allSettled(this.#underWay.values());
    this.#sink = null;
  }

  perform(effect: LungEffect): void {
    if (this.#sink === null || this.#isStopped) return;
    switch (effect.type) {
      case 'poll':
        return this.#poll(effect);
      case 'ask':
        return this.#ask(effect);
      case 'reset':
        this.#siteOf.get(effect.peer)?.agent.destroy();
        return;
      case 'publish':
      case 'beat':
        return assert.fail(`the HTTP lung cannot ${effect.type}`);
    }
  }

  /** @param address a base URL, http or https; anything else is left out with a warning */
  addAddress(address: string, isTold = false): void {
    this.#add(address, isTold ? 'told' : 'found');
  }

  urlOf(peer: NodeId): string | null {
    return this.#siteOf.get(peer)?.url ?? null;
  }

  /** Whether a URL of this member is known that answered the last question: one that came back at another port does not at its old one. */
  isAnswering(peer: NodeId): boolean {
    return this.#siteOf.get(peer)?.failures === 0;
  }

  /** Members that answered the last question. */
  get answering(): number {
    return [...this.#siteOf.values()].filter(({ failures }) => failures === 0).length;
  }

  /** Proxies through which members are asked, without credentials. */
  proxiesInUse(): readonly string[] {
    const { http, https } = this.#knobs.proxies;
    const proxies = [...this.#sites.values()].flatMap(({ url, isProxied }) => {
      const proxy = url.startsWith('https:') ? https : http;
      return isProxied && proxy !== null ? [new URL(proxy).origin] : [];
    });
    return [...new Set(proxies)];
  }

  /** One URL per member, and those behind which nobody is known yet. */
  urls(): readonly string[] {
    return [...this.#sites.values()]
      .filter((site) => site.peer === null || this.#siteOf.get(site.peer) === site)
      .map(({ url }) => url);
  }

  /**
   * Where a member says that it listens for P2P, asked of itself.
   *
   * @returns multiaddrs, at most 16 and perhaps none yet; null when it did not answer
   */
  async p2pAddressesOf(peer: NodeId): Promise<readonly string[] | null> {
    return addressesIn(await this.#askFor(peer, IDENTITY_PATH));
  }

  /**
   * A member asks us, and says at which port it answers itself.
   *
   * @param host where its connection is seen
   */
  askedBy(member: NodeId, host: string, port: number): void {
    if (this.#isStopped || this.isAnswering(member)) return;
    const address = host.replace(/^::ffff:/, '');
    const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
    const now = this.#modules.clock.monotonicMs();
    const last = this.#askersTried.get(member);
    const gapMs = last?.url === url ? ASKER_AGAIN_MS : ASKER_MOVED_MS;
    if (last !== undefined && now - last.at < gapMs) return;
    if (this.#askersTried.size >= this.#knobs.sitesMax) this.#askersTried.clear();
    this.#askersTried.set(member, { url, at: now });
    this.#add(url, 'told');
  }

  /** Whom a member knows, as its status says; only what may be reached from here. Null when it did not answer. */
  async membersOf(peer: NodeId): Promise<readonly ToldMember[] | null> {
    const site = this.#siteOf.get(peer);
    const status = site === undefined ? null : await this.#askFor(peer, STATUS_PATH);
    if (site === undefined || status === null) return null;
    return membersIn(status).map(({ peer: member, url }) => ({
      peer: member,
      addresses: isNearUrl(url) === isNearUrl(site.url) ? [url] : [],
    }));
  }

  /** Who listens on the loopback is nowhere to others. */
  #portFor(url: string): number | null {
    const listen = this.#modules.listen?.() ?? null;
    if (listen === null || (isLoopbackHost(listen.host) && !isNearUrl(url))) return null;
    return listen.port;
  }

  /** What a member says of itself, as JSON. Null when it did not answer. */
  async #askFor(peer: NodeId, path: string): Promise<unknown> {
    const site = this.#siteOf.get(peer);
    if (site === undefined || this.#isStopped) return null;
    const call = getOf('probe', peer, path, '', this.#knobs.answerMs);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#run(call, async () => resolve(await this.#turns.run(() => this.#client.call(site, call))));
    const answer = await promise;
    return answer.kind === 'believed' && answer.status === 200 ? parseJson(answer.body) : null;
  }

  #add(address: string, origin: 'configured' | 'found' | 'told'): void {
    const { clock, logger } = this.#modules;
    const url = normalUrl(address);
    if (url === null) {
      if (origin === 'told') return;
      logger.warn('not a base URL of a member', { tag: TAG, address: address.slice(0, 200) });
      return;
    }
    const now = clock.monotonicMs();
    const ownSince = this.#own.get(url);
    if (ownSince !== undefined && now - ownSince < this.#knobs.addressForgetMs) return;
    this.#own.delete(url);
    if (this.#sites.has(url)) return;
    if (this.#sites.size >= this.#knobs.sitesMax) {
      if (origin === 'told') return;
      logger.warn('too many addresses, this one is left out', { tag: TAG, url });
      return;
    }
    const { probeFirstMs: probeMs, proxies, holding } = this.#knobs;
    const site = newSite({
      ...poolFor(url, proxies),
      url,
      isConfigured: origin === 'configured',
      isTold: origin === 'told',
      since: now,
      probeMs,
      holding: new Holding(holding, Math.random),
    });
    if (site.isProxied) logger.debug('asked through a proxy', { tag: TAG, url });
    this.#sites.set(url, site);
    if (this.#sink !== null) this.#probe(site);
  }

  // ── finding out who lives behind a URL ──

  #probe(site: Site): void {
    site.cancelProbe?.();
    site.cancelProbe = null;
    if (this.#isStopped || site.isProbed || this.#sites.get(site.url) !== site) return;
    site.isProbed = true;
    const call = getOf('probe', '', STATE_PATH, '', this.#knobs.answerMs);
    this.#run(call, async () => {
      const answer = await this.#turns.run(() => this.#client.call(site, call));
      site.isProbed = false;
      if (answer.kind === 'aborted' || this.#sites.get(site.url) !== site) return;
      if (answer.kind === 'believed') {
        if (this.#meet(site, answer)) {
          this.#emit({
            type: 'heard',
            peer: answer.member,
            rttMs: answer.rttMs,
            beacon: beaconIn(answer, site),
          });
        }
        return;
      }
      this.#noteFailure(site, answer);
      this.#forgetOrProbeAgain(site);
    });
  }

  /** There is something to tell this member, or another process with our own identity, that should not wait for its next poll. */
  #tellSoon(peer: NodeId): void {
    setImmediate(() => {
      for (const site of this.#sites.values()) {
        if (peer === this.#modules.self ? !site.isTwin : site.peer !== peer) continue;
        if (site.isProbed)
          site.cancelProbe ??= this.#modules.clock.after(TELL_AGAIN_MS, () => this.#probe(site));
        else this.#probe(site);
      }
    });
  }

  #forgetOrProbeAgain(site: Site): void {
    const { clock } = this.#modules;
    const silentMs = clock.monotonicMs() - (site.answeredAt ?? site.since);
    const isHearsay = site.isTold && site.failures >= this.#knobs.failuresMax;
    if (isHearsay || (!site.isConfigured && silentMs >= this.#knobs.addressForgetMs)) {
      this.#drop(site, 'address forgotten');
      return;
    }
    this.#scheduleProbe(site);
  }

  #scheduleProbe(site: Site): void {
    if (site.cancelProbe !== null || site.isProbed) return;
    const jitter = 0.75 + Math.random() / 2;
    site.cancelProbe = this.#modules.clock.after(site.probeMs * jitter, () => this.#probe(site));
    site.probeMs = Math.min(site.probeMs * 2, this.#knobs.probeMaxMs);
  }

  /**
   * A member answered at this site.
   * @returns false when it is ourselves
   */
  #meet(site: Site, { member, isTwin }: Pick<Believed, 'member' | 'isTwin'>): boolean {
    const { self, clock, logger } = this.#modules;
    site.isTwin = isTwin;
    if (isTwin) {
      this.#unmap(site, 'another process with our own identity answers at its address');
      site.peer = null;
      site.answeredAt = clock.monotonicMs();
      this.#scheduleProbe(site);
      return false;
    }
    if (member === self) {
      this.#own.set(site.url, clock.monotonicMs());
      this.#drop(site, 'it is our own address');
      logger.debug('own address left out', { tag: TAG, url: site.url });
      return false;
    }
    site.cancelProbe?.();
    site.cancelProbe = null;
    site.failures = 0;
    site.isTold = false;
    this.#dead.answered(site.url);
    site.isRefusalTold = false;
    site.probeMs = this.#knobs.probeFirstMs;
    site.answeredAt = clock.monotonicMs();
    if (this.#isWarned) {
      this.#isWarned = false;
      logger.info('HTTP peers answer again', { tag: TAG, url: site.url });
    }
    if (site.peer !== member) {
      this.#unmap(site, 'another member answers at its address');
      site.peer = member;
      site.records = null;
    }
    const mapped = this.#siteOf.get(member);
    if (mapped === undefined || (mapped !== site && mapped.failures > 0)) {
      this.#siteOf.set(member, site);
      this.#emit({ type: 'link', peer: member, state: 'up', address: site.url });
    }
    return true;
  }

  #drop(site: Site, reason: string): void {
    site.cancelProbe?.();
    site.cancelProbe = null;
    site.agent.destroy();
    this.#sites.delete(site.url);
    this.#unmap(site, reason);
  }

  /** The link goes down only with its last way: another URL of the same member takes over. */
  #unmap(site: Site, reason: string): void {
    const { peer } = site;
    if (peer === null || this.#siteOf.get(peer) !== site) return;
    const other = [...this.#sites.values()].find((one) => one !== site && one.peer === peer);
    if (other !== undefined) {
      this.#siteOf.set(peer, other);
      this.#emit({ type: 'link', peer, state: 'up', address: other.url });
      return;
    }
    this.#siteOf.delete(peer);
    this.#emit({ type: 'link', peer, state: 'down', reason });
  }

  #noteFailure(site: Site, answer: Extract<Answer, { kind: 'failed' | 'unbelieved' | 'misdirected' }>): void {
    const { logger } = this.#modules;
    site.failures += 1;
    // what is pooled has probably met the same fate; the next attempt dials anew instead of waiting for TCP
    idleSocketsEnd(site);
    logger.debug('no answer', { tag: TAG, url: site.url, reason: answer.reason });
    if (site.isConfigured) this.#dead.failed(site.url, answer.reason);
    if (answer.kind === 'unbelieved' && !site.isRefusalTold) {
      site.isRefusalTold = true;
      this.#emit({ type: 'refused', peer: null, what: 'peer', reason: `${site.url}: ${answer.reason}` });
    }
    if (site.failures === this.#knobs.failuresMax) {
      for (const one of this.#sites.values()) {
        if (one === site || (site.peer !== null && one.peer === site.peer)) this.#scheduleProbe(one);
      }
    }
    if (
      !this.#isWarned &&
      [...this.#sites.values()].every(({ failures }) => failures >= this.#knobs.failuresMax)
    ) {
      this.#isWarned = true;
      logger.warn('no HTTP peer answers', { tag: TAG, urls: this.urls() });
    }
  }

  // ── exchanges ──

  #poll({ peer, root, waitMs }: PollEffect): void {
    this.#polls.get(peer)?.abort();
    const site = this.#siteOf.get(peer);
    if (site === undefined) {
      this.#emitLater({ type: 'silent', peer, reason: 'no address known' });
      return;
    }
    const heldMs = Math.min(Math.max(0, Math.round(waitMs)), WAIT_MS_MAX);
    const call = getOf('poll', peer, STATE_PATH, `"${root}"`, this.#knobs.answerMs);
    const modules = {
      client: this.#client,
      clock: this.#modules.clock,
      onPlain: (isPlain: boolean) => this.#tellOfPlainPolls(site, isPlain),
      onBare: () =>
        this.#modules.logger.info('If-None-Match does not arrive, asking without', {
          tag: TAG,
          url: site.url,
        }),
    };
    this.#polls.set(peer, call.controller);
    this.#run(call, async () => {
      const { answer, isHeld } = await askState(modules, site, { plain: call, heldMs });
      if (this.#polls.get(peer) === call.controller) this.#polls.delete(peer);
      const reason = this.#account(site, answer);
      if (answer.kind === 'aborted') return;
      const beacon = answer.kind === 'believed' ? beaconIn(answer, site, root) : null;
      if (reason !== null || answer.kind !== 'believed' || beacon === null) {
        this.#emit({ type: 'silent', peer, reason: reason ?? 'an answer that is no state' });
        return;
      }
      this.#emit({ type: 'heard', peer, rttMs: isHeld ? null : answer.rttMs, beacon });
    });
  }

  #tellOfPlainPolls({ url }: Site, isPlain: boolean): void {
    const what = isPlain ? 'held polls are cut off, asking plainly' : 'polls are held again';
    this.#modules.logger.info(what, { tag: TAG, url });
  }

  #ask({ peer, exchange, bytes, timeoutMs }: AskEffect): void {
    const site = this.#siteOf.get(peer);
    const unanswered = (reason: string, doubt: SizeDoubt = null): void =>
      this.#emit({ type: 'unanswered', peer, exchange, reason, doubt });
    if (site === undefined || bytes.length > EXCHANGE_BYTES_MAX) {
      const reason =
        site === undefined ? 'no address known' : `a message of ${bytes.length} bytes is too large`;
      this.#emitLater({ type: 'unanswered', peer, exchange, reason });
      return;
    }
    const call: Call = {
      kind: 'exchange',
      method: 'POST',
      to: peer,
      target: SYNC_PATH,
      ifNoneMatch: '',
      body: bytes,
      answerBytesMax: EXCHANGE_BYTES_MAX,
      heldMs: 0,
      timeoutMs,
      controller: new AbortController(),
    };
    this.#run(call, async () => {
      const answer = await this.#client.call(site, call);
      const reason = this.#account(site, answer);
      if (answer.kind === 'aborted') return;
      if (reason !== null || answer.kind !== 'believed')
        return unanswered(reason ?? 'no answer', doubtOf(answer));
      this.#emit({ type: 'heard', peer, rttMs: null, beacon: null });
      if (answer.status !== 200) return unanswered(`answered ${answer.status}`);
      this.#emit({ type: 'answered', peer, exchange, bytes: answer.body, rttMs: answer.rttMs });
    });
  }

  /** @returns why this exchange failed, or null when the member that was asked gave an answer that can be believed */
  #account(site: Site, answer: Answer): string | null {
    const isKnown = this.#sites.get(site.url) === site;
    switch (answer.kind) {
      case 'believed':
        if (isKnown) this.#meet(site, answer);
        return null;
      case 'misdirected':
        if (isKnown) {
          this.#noteFailure(site, answer);
          this.#probe(site);
        }
        return answer.reason;
      case 'failed':
      case 'unbelieved':
        // Of the member that says nothing: its next, smaller question will tell.
        if (isKnown && !isTooLarge(answer)) this.#noteFailure(site, answer);
        return answer.reason;
      case 'aborted':
        return null;
    }
  }

  /** Nothing in here rejects but our own mistakes, and those may end the process. */
  #run({ controller }: Call, exchange: () => Promise<void>): void {
    this.#underWay.set(
      controller,
      exchange().finally(() => this.#underWay.delete(controller)),
    );
  }

  /** What fails at once is told when `perform` has returned. */
  #emitLater(event: LungEvent): void {
    setImmediate(() => this.#emit(event));
  }

  #emit(event: LungEvent): void {
    if (this.#sink !== null && !this.#isStopped) this.#sink(event);
    else if (event.type === 'asked') event.answer(null);
  }
}

function ignoreBytes(): void {
  // nobody counts
}

function isTooLarge(answer: Answer): boolean {
  return answer.kind === 'failed' && answer.isTooLarge === true;
}

/** Whether the size of a question, or of its answer, may be why it failed. */
function doubtOf(answer: Answer): SizeDoubt {
  if (isTooLarge(answer)) return 'refused';
  return answer.kind === 'failed' && answer.isCut ? 'cut' : null;
}

function getOf(
  kind: Call['kind'],
  to: NodeId | '',
  target: string,
  ifNoneMatch: string,
  timeoutMs: number,
): Call {
  return {
    kind,
    method: 'GET',
    to,
    target,
    ifNoneMatch,
    body: NO_BODY,
    answerBytesMax: STATE_BYTES_MAX,
    heldMs: 0,
    timeoutMs,
    controller: new AbortController(),
  };
}

function addressesIn(identity: unknown): readonly string[] | null {
  if (typeof identity !== 'object' || identity === null || !('listen_addrs' in identity)) return null;
  const { listen_addrs: addresses } = identity;
  if (!Array.isArray(addresses)) return null;
  return addresses.filter((address) => typeof address === 'string').slice(0, P2P_ADDRESSES_MAX);
}

/** Members that answer the teller over HTTP, and where. */
function membersIn(status: unknown): readonly { readonly peer: NodeId; readonly url: string }[] {
  if (typeof status !== 'object' || status === null || !('peers' in status)) return [];
  const { peers } = status;
  if (!Array.isArray(peers)) return [];
  return peers.slice(0, TOLD_MEMBERS_MAX).flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null || !('peer_id' in one) || !('url' in one)) return [];
    const { peer_id: peer, url } = one;
    return typeof peer === 'string' && isNodeId(peer) && typeof url === 'string' ? [{ peer, url }] : [];
  });
}

function isNearUrl(url: string): boolean {
  return URL.canParse(url) && isLoopbackHost(new URL(url).hostname.replace(/^\[|\]$/g, ''));
}

/**
 * What the state route says: 200 with the root in its body, or 304 for the root that was asked about.
 * @returns null when it is neither
 */
function beaconIn(answer: Believed, site: Site, asked?: Digest): Beacon | null {
  if (answer.status === 304 && asked !== undefined) {
    site.records = answer.records ?? site.records;
    return beaconOf(asked, site.records ?? 0, answer);
  }
  if (answer.status !== 200) return null;
  const state = parseJson(answer.body);
  if (typeof state !== 'object' || state === null || !('merkle_root' in state)) return null;
  const root = state.merkle_root;
  if (typeof root !== 'string' || !/^[0-9a-f]{64}$/.test(root)) return null;
  const size = 'state_size' in state && Number.isSafeInteger(state.state_size) ? Number(state.state_size) : 0;
  site.records = answer.records ?? Math.max(0, size);
  return beaconOf(root as Digest, site.records, answer);
}

/** Over HTTP nobody says whom it watches, whether it rests, or its version vector. */
function beaconOf(root: Digest, records: number, { wallMs, isHealing }: Believed): Beacon {
  return { root, records, wallMs, isWatching: false, isResting: false, isHealing, vector: null };
}
