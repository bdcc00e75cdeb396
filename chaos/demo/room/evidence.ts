/**
 * The evidence of a session as one JSON document: what was done to the nodes and what shows that it bit, what the nodes
 * said, how long each recovery took, the tour's verdicts, an audit of the bank made for this document, and every node's
 * own signature under its root, which a third party checks with the node's public identity.
 */
import type { RoomEvent, RoomView } from '../../../dashboard/room/model.ts';
import type { StateResponse } from '../../../node/http/schemas.ts';
import type { Cluster, ClusterNode } from '../../cluster/port.ts';
import type { Clients } from '../clients.ts';
import { until } from '../patience.ts';
import type { Audit, Bank } from './bank.ts';
import type { KeptEvidence } from './harm.ts';

const AUDIT_BUDGET_MS = 5000;
const AUDIT_EVERY_MS = 100;

export interface EvidenceSources {
  readonly cluster: Cluster;
  readonly clients: Clients;
  readonly bank: Bank;
  readonly view: RoomView;
  readonly facts: readonly RoomEvent[];
  readonly faults: readonly KeptEvidence[];
}

interface SessionEvidence {
  readonly schema: 'aethel-room-evidence/1';
  readonly writtenAt: string;
  readonly startedAt: string;
  readonly run: string;
  readonly world: RoomView['world'];
  readonly nodes: readonly {
    readonly name: string;
    /** null: it does not run */
    readonly url: string | null;
    readonly state: string;
    /** null: it gave none */
    readonly root: StateResponse | null;
  }[];
  readonly writes: RoomView['cluster']['writes'];
  readonly faults: readonly (RoomView['faults'][number] & { readonly evidence: readonly KeptEvidence[] })[];
  readonly recoveries: RoomView['recoveries'];
  readonly tour: RoomView['tour'];
  /** null: not every running node could be read */
  readonly audit: Audit | null;
  readonly conflict: RoomView['conflict'];
  readonly traffic: RoomView['traffic'];
  readonly events: readonly RoomEvent[];
}

export async function gatherEvidence(sources: EvidenceSources): Promise<SessionEvidence> {
  const { cluster, clients, bank, view } = sources;
  const up = cluster.nodes.filter(({ state }) => state === 'running');
  const [roots, audit] = await Promise.all([
    Promise.all(
      cluster.nodes.map(async (node) =>
        up.includes(node)
          ? clients
              .to(node)
              .signedRoot()
              .catch(() => null)
          : null,
      ),
    ),
    settledAudit(bank, up),
  ]);
  return {
    schema: 'aethel-room-evidence/1',
    writtenAt: new Date().toISOString(),
    startedAt: new Date(view.cluster.startedAt).toISOString(),
    run: cluster.runId,
    world: view.world,
    nodes: cluster.nodes.map((node, index) => ({
      name: node.name,
      url: node.state === 'stopped' ? null : node.url,
      state: node.state,
      root: roots[index] ?? null,
    })),
    writes: view.cluster.writes,
    faults: view.faults.map((fault) => ({
      ...fault,
      evidence: sources.faults.filter((kept) => kept.fault === fault.id),
    })),
    recoveries: view.recoveries,
    tour: view.tour,
    audit,
    conflict: view.conflict,
    traffic: view.traffic,
    events: sources.facts,
  };
}

/** What was acknowledged in this instant is still on its way: the audit is repeated until nothing is, or for too long. */
async function settledAudit(bank: Bank, nodes: readonly ClusterNode[]): Promise<Audit | null> {
  let last: Audit | null = null;
  await until(
    async () => {
      last = await bank.audit(nodes).catch(() => null);
      return last?.wrong === 0;
    },
    { budgetMs: AUDIT_BUDGET_MS, everyMs: AUDIT_EVERY_MS },
  );
  return last;
}
