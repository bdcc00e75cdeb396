/** What the page says, in the two languages of its readers. */
import type { Language } from '../words.ts';
import type { CutLung, FaultDeed, LogFact, StepDetail, StepState, TourStepName } from '../room/model.ts';
import type { Figures } from './format.ts';

export interface PageWords {
  readonly room: string;
  readonly connecting: string;
  readonly stale: string;
  readonly live: string;
  readonly tour: string;
  readonly stopTour: string;
  readonly evidence: string;
  readonly language: string;
  readonly theme: Readonly<Record<'dark' | 'light', string>>;
  readonly views: string;
  readonly lattice: string;
  readonly bank: string;
  readonly table: string;
  readonly states: (count: number) => string;
  readonly answering: (up: number, all: number) => string;
  readonly carries: Readonly<Record<'P2P' | 'HTTP' | 'MIXED' | 'NONE', string>>;
  readonly legend: Readonly<Record<'gossip' | 'http' | 'warm' | 'colour', string>>;
  readonly nodeLabel: (node: NodeWords) => string;
  readonly stateLetter: (letter: string) => string;
  readonly conditions: Readonly<
    Record<'killed' | 'frozen' | 'down' | 'starting' | 'cutP2p' | 'cutHttp' | 'cutBoth', string>
  >;
  readonly target: string;
  readonly everyNode: string;
  readonly cut: string;
  readonly cutLung: Readonly<Record<CutLung, string>>;
  readonly process: string;
  readonly kill: string;
  readonly freeze: string;
  readonly restart: string;
  readonly network: string;
  readonly partition: string;
  readonly healAll: string;
  readonly data: string;
  readonly write: string;
  readonly conflict: string;
  readonly settle: string;
  readonly faults: string;
  readonly noFaults: string;
  readonly heal: string;
  readonly keptBack: (count: string) => string;
  readonly proven: string;
  readonly unproven: string;
  readonly sides: string;
  readonly side: (index: number) => string;
  readonly drawHint: string;
  readonly draw: string;
  readonly apply: string;
  readonly cancel: string;
  readonly key: string;
  readonly value: string;
  readonly siblings: string;
  readonly winner: string;
  readonly agreeing: (count: number) => string;
  readonly settled: string;
  readonly traffic: string;
  readonly acknowledged: string;
  readonly failed: string;
  readonly perSecond: string;
  readonly lastSeconds: (seconds: number) => string;
  readonly trafficLabel: (rate: string, failed: string) => string;
  readonly recovery: string;
  readonly recovering: string;
  readonly noRecovery: string;
  readonly recoveredFrom: (what: string) => string;
  readonly afterHeal: (what: string) => string;
  readonly principle: string;
  readonly times: (factor: string) => string;
  readonly log: string;
  readonly sum: string;
  readonly onEveryNode: string;
  readonly sumBroken: string;
  readonly account: string;
  readonly balance: string;
  readonly transfers: string;
  readonly missing: string;
  readonly lastTransfers: string;
  readonly via: string;
  readonly unlike: string;
  readonly node: string;
  readonly mode: string;
  readonly state: string;
  readonly root: string;
  readonly peers: string;
  readonly keys: string;
  readonly writes: string;
  readonly arrivals: string;
  readonly condition: string;
  readonly deed: (deed: FaultDeed) => string;
  readonly fact: (fact: LogFact, figures: Figures) => string;
  readonly step: Readonly<Record<TourStepName, (node: string) => StepWords>>;
  readonly verdict: Readonly<Record<StepState, string>>;
  readonly hypothesis: string;
  readonly detail: (detail: StepDetail, figures: Figures) => string;
  readonly tourEnded: (passed: number, all: number) => string;
  readonly close: string;
}

interface StepWords {
  readonly title: string;
  readonly hypothesis: string;
  /** what a pass has shown */
  readonly shown: string;
}

interface NodeWords {
  readonly name: string;
  readonly mode: string;
  readonly letter: string;
  readonly p2p: number;
  readonly http: number;
  readonly condition: string | null;
}

function deedIn(
  deed: FaultDeed,
  words: {
    readonly cut: (lung: CutLung, nodes: string) => string;
    readonly everywhere: string;
    readonly partition: (lung: CutLung, groups: string) => string;
    readonly kill: (node: string) => string;
    readonly freeze: (node: string) => string;
  },
): string {
  switch (deed.kind) {
    case 'cut':
      return words.cut(deed.lung, deed.everywhere ? words.everywhere : deed.nodes.join(', '));
    case 'partition':
      return words.partition(deed.lung, deed.groups.map((group) => group.join(', ')).join(' | '));
    case 'kill':
      return words.kill(deed.node);
    case 'freeze':
      return words.freeze(deed.node);
  }
}

const EN_LUNG: Readonly<Record<CutLung, string>> = { p2p: 'P2P', http: 'HTTP', both: 'both lungs' };
const PT_LUNG: Readonly<Record<CutLung, string>> = { p2p: 'P2P', http: 'HTTP', both: 'os dois pulmões' };

const enDeed = (deed: FaultDeed): string =>
  deedIn(deed, {
    everywhere: 'all nodes',
    cut: (lung, nodes) => `${lung === 'both' ? 'Both lungs' : EN_LUNG[lung]} cut · ${nodes}`,
    partition: (lung, groups) => `Partition${lung === 'both' ? '' : ` of ${EN_LUNG[lung]}`} · ${groups}`,
    kill: (node) => `${node} killed`,
    freeze: (node) => `${node} frozen`,
  });

const ptDeed = (deed: FaultDeed): string =>
  deedIn(deed, {
    everywhere: 'todos os nós',
    cut: (lung, nodes) =>
      lung === 'both' ? `Dois pulmões cortados · ${nodes}` : `${PT_LUNG[lung]} cortado · ${nodes}`,
    partition: (lung, groups) => `Partição${lung === 'both' ? '' : ` do ${PT_LUNG[lung]}`} · ${groups}`,
    kill: (node) => `${node} morto`,
    freeze: (node) => `${node} congelado`,
  });

const EN: PageWords = {
  room: 'Control room',
  connecting: 'Connecting to the lab …',
  stale: 'No news from the lab: this picture is old. Reconnecting …',
  live: 'live',
  tour: 'Start the tour',
  stopTour: 'Stop the tour',
  evidence: 'Evidence',
  language: 'Mudar para português',
  theme: { dark: 'Light theme', light: 'Dark theme' },
  views: 'Views',
  lattice: 'Lattice',
  bank: 'Bank',
  table: 'Table',
  states: (count) => (count === 1 ? 'One state' : `${count} states`),
  answering: (up, all) => `${up} of ${all} nodes`,
  carries: {
    P2P: 'P2P carries',
    HTTP: 'HTTP carries',
    MIXED: 'P2P and HTTP carry',
    NONE: 'nothing carries',
  },
  legend: {
    gossip: 'P2P carries',
    http: 'HTTP carries',
    warm: 'HTTP ready',
    colour: 'one colour, one letter: one state',
  },
  nodeLabel: (node) =>
    [
      node.name,
      node.condition,
      node.condition === null || node.mode !== '' ? `mode ${node.mode}` : null,
      node.letter === '' ? null : `state ${node.letter}`,
      `hears ${node.p2p} by P2P, ${node.http} by HTTP`,
    ]
      .filter((part) => part !== null)
      .join('; '),
  stateLetter: (letter) => `State ${letter}`,
  conditions: {
    killed: 'killed',
    frozen: 'frozen',
    down: 'no answer',
    starting: 'starting',
    cutP2p: 'P2P cut',
    cutHttp: 'HTTP cut',
    cutBoth: 'both cut',
  },
  target: 'Target',
  everyNode: 'all',
  cut: 'Cut',
  cutLung: { p2p: 'P2P', http: 'HTTP', both: 'Both' },
  process: 'Process',
  kill: 'Kill',
  freeze: 'Freeze',
  restart: 'Restart',
  network: 'Network',
  partition: 'Partition …',
  healAll: 'Heal all',
  data: 'Data',
  write: 'Write …',
  conflict: 'Make a conflict',
  settle: 'Settle it',
  faults: 'In force',
  noFaults: 'Nothing is broken.',
  heal: 'Heal',
  keptBack: (count) => `${count} kept back`,
  proven: 'proven',
  unproven: 'not proven',
  sides: 'Two sides that cannot hear each other',
  side: (index) => (index === 0 ? 'A' : 'B'),
  drawHint: 'Draw a line across the lattice. Escape ends it.',
  draw: 'Draw it',
  apply: 'Partition',
  cancel: 'Cancel',
  key: 'Key',
  value: 'Value',
  siblings: 'kept beside it',
  winner: 'shown everywhere',
  agreeing: (count) => `${count} nodes agree`,
  settled: 'settled: one value again',
  traffic: 'Writes',
  acknowledged: 'acknowledged',
  failed: 'failed',
  perSecond: '/s',
  lastSeconds: (seconds) => `last ${seconds} s`,
  trafficLabel: (rate, failed) =>
    `Writes per second, last two minutes: ${rate} acknowledged, ${failed} failed`,
  recovery: 'Recovery',
  recovering: 'recovering …',
  noRecovery: 'Nothing has been disturbed yet.',
  recoveredFrom: (what) => `after: ${what}`,
  afterHeal: (what) => `healed: ${what}`,
  principle: 'PFMI 17: two hours',
  times: (factor) => `${factor} × within the two-hour line`,
  log: 'What happened',
  sum: 'Sum of all accounts',
  onEveryNode: 'the same on every node that answers',
  sumBroken: 'not the sum that was issued',
  account: 'Account',
  balance: 'Balance',
  transfers: 'Transfers',
  missing: 'Late',
  lastTransfers: 'Last transfers',
  via: 'via',
  unlike: 'nodes differ',
  node: 'Node',
  mode: 'Mode',
  state: 'State',
  root: 'Root',
  peers: 'Hears P2P / HTTP',
  keys: 'Keys',
  writes: 'Writes',
  arrivals: 'Came by gossip / push / sync',
  condition: 'Condition',
  deed: enDeed,
  fact: (fact, figures) => {
    switch (fact.type) {
      case 'started':
        return `${fact.nodes} nodes are up, clients are writing`;
      case 'mode':
        if (fact.nodes.length === 1)
          return fact.to === 'NONE'
            ? `${fact.nodes[0]} hears nobody any more`
            : `${fact.nodes[0]} breathes ${fact.to} now (before: ${fact.from})`;
        return fact.to === 'NONE'
          ? `${fact.nodes.length} nodes hear nobody any more`
          : `${fact.nodes.length} nodes breathe ${fact.to} now (before: ${fact.from})`;
      case 'reach':
        return fact.reach === 'up' ? `${fact.node} answers again` : `${fact.node} does not answer`;
      case 'states':
        return fact.count === 1
          ? 'One state again: all roots are equal'
          : `The nodes hold ${fact.count} different states`;
      case 'begun':
        return `Fault: ${enDeed(fact.deed)}`;
      case 'ended':
        return `Healed: ${enDeed(fact.deed)}`;
      case 'proof':
        return fact.proven
          ? `Proven, it bites: ${enDeed(fact.deed)}${fact.dropped > 0 ? ` (${figures.count(fact.dropped)} kept back)` : ''}`
          : `Not proven: ${enDeed(fact.deed)}`;
      case 'recovered':
        return fact.after === 'fault'
          ? `Data flows to every running node, ${figures.duration(fact.tookMs)} after the fault`
          : `Everybody has everything, ${figures.duration(fact.tookMs)} after the heal`;
      case 'reconciled':
        return `${figures.count(fact.records)} missing records found their way to ${fact.nodes.length === 1 ? fact.nodes[0] : `${fact.nodes.length} nodes`}`;
      case 'conflict':
        return `Two writes to ${fact.key} did not know of each other: both are kept`;
      case 'settled':
        return `${fact.key} is settled: a write that knew both replaced them`;
      case 'written':
        return fact.outcome === 'ok'
          ? `${fact.key} was written on ${fact.node}`
          : `${fact.node} did not acknowledge ${fact.key}`;
      case 'tour':
        return `Tour, ${EN.step[fact.step]('').title}: ${EN.verdict[fact.state]}`;
      case 'trouble':
        return `The lab has trouble: ${fact.detail}`;
    }
  },
  step: {
    steady: () => ({
      title: 'Steady state',
      hypothesis:
        'Independent nodes take transfers, gossip carries them, and every node shows one and the same state.',
      shown: 'One colour, all P2P, no request failed.',
    }),
    cutP2p: () => ({
      title: 'Attack on P2P',
      hypothesis: 'The P2P lung of every node is cut. HTTP takes over within seconds; no client notices.',
      shown: 'HTTP carried, no request failed, still one state.',
    }),
    cutHttp: () => ({
      title: 'Attack on HTTP',
      hypothesis:
        'Now the HTTP lung between the nodes is cut, and P2P is back. Gossip carries; no client notices.',
      shown: 'P2P carried, no request failed, still one state.',
    }),
    kill: (node) => ({
      title: 'A node dies',
      hypothesis: `${node} is killed (SIGKILL). Its clients turn to other nodes; payments go on.`,
      shown: 'The others carried on with everything that was acknowledged.',
    }),
    sum: () => ({
      title: 'The sum is intact',
      hypothesis:
        'Every transfer that was ever acknowledged is on every surviving node, and the accounts add up to what was issued.',
      shown: 'Audited entry by entry: nothing lost, not a cent.',
    }),
    heal: (node) => ({
      title: 'Healing',
      hypothesis: `${node} is started again. It still has what it acknowledged, catches up, and shows the same state.`,
      shown: 'All nodes, one state, all acknowledged transfers.',
    }),
  },
  verdict: {
    waiting: 'to come',
    announced: 'announced',
    running: 'under way',
    pass: 'held',
    fail: 'did not hold',
    inconclusive: 'not proven',
    skipped: 'skipped',
  },
  hypothesis: 'Hypothesis',
  detail: (detail, figures) => {
    switch (detail.type) {
      case 'audited':
        return `${figures.count(detail.transfers)} transfers on each of ${detail.nodes} nodes`;
      case 'failed-requests':
        return `${figures.count(detail.count)} ${detail.count === 1 ? 'request' : 'requests'} failed`;
      case 'trouble':
        return detail.text;
    }
  },
  tourEnded: (passed, all) => `${passed} of ${all} hypotheses held`,
  close: 'Close',
};

const PT: PageWords = {
  room: 'Sala de controle',
  connecting: 'Conectando ao laboratório …',
  stale: 'Sem notícias do laboratório: esta imagem é antiga. Reconectando …',
  live: 'ao vivo',
  tour: 'Iniciar o roteiro',
  stopTour: 'Parar o roteiro',
  evidence: 'Evidências',
  language: 'Switch to English',
  theme: { dark: 'Tema claro', light: 'Tema escuro' },
  views: 'Visões',
  lattice: 'Malha',
  bank: 'Banco',
  table: 'Tabela',
  states: (count) => (count === 1 ? 'Um só estado' : `${count} estados`),
  answering: (up, all) => `${up} de ${all} nós`,
  carries: {
    P2P: 'P2P transporta',
    HTTP: 'HTTP transporta',
    MIXED: 'P2P e HTTP transportam',
    NONE: 'nada transporta',
  },
  legend: {
    gossip: 'P2P transporta',
    http: 'HTTP transporta',
    warm: 'HTTP de prontidão',
    colour: 'uma cor, uma letra: um estado',
  },
  nodeLabel: (node) =>
    [
      node.name,
      node.condition,
      node.condition === null || node.mode !== '' ? `modo ${node.mode}` : null,
      node.letter === '' ? null : `estado ${node.letter}`,
      `ouve ${node.p2p} por P2P, ${node.http} por HTTP`,
    ]
      .filter((part) => part !== null)
      .join('; '),
  stateLetter: (letter) => `Estado ${letter}`,
  conditions: {
    killed: 'morto',
    frozen: 'congelado',
    down: 'sem resposta',
    starting: 'iniciando',
    cutP2p: 'P2P cortado',
    cutHttp: 'HTTP cortado',
    cutBoth: 'isolado',
  },
  target: 'Alvo',
  everyNode: 'todos',
  cut: 'Cortar',
  cutLung: { p2p: 'P2P', http: 'HTTP', both: 'Ambos' },
  process: 'Processo',
  kill: 'Matar',
  freeze: 'Congelar',
  restart: 'Reiniciar',
  network: 'Rede',
  partition: 'Particionar …',
  healAll: 'Curar tudo',
  data: 'Dados',
  write: 'Escrever …',
  conflict: 'Criar conflito',
  settle: 'Resolver',
  faults: 'Em vigor',
  noFaults: 'Nada está quebrado.',
  heal: 'Curar',
  keptBack: (count) => `${count} retidos`,
  proven: 'provado',
  unproven: 'sem prova',
  sides: 'Dois lados que não se ouvem',
  side: (index) => (index === 0 ? 'A' : 'B'),
  drawHint: 'Trace uma linha sobre a malha. Esc encerra.',
  draw: 'Desenhar',
  apply: 'Particionar',
  cancel: 'Cancelar',
  key: 'Chave',
  value: 'Valor',
  siblings: 'mantido ao lado',
  winner: 'mostrado em todos',
  agreeing: (count) => `${count} nós de acordo`,
  settled: 'resolvido: um só valor de novo',
  traffic: 'Escritas',
  acknowledged: 'confirmadas',
  failed: 'com falha',
  perSecond: '/s',
  lastSeconds: (seconds) => `últimos ${seconds} s`,
  trafficLabel: (rate, failed) =>
    `Escritas por segundo, últimos dois minutos: ${rate} confirmadas, ${failed} com falha`,
  recovery: 'Recuperação',
  recovering: 'recuperando …',
  noRecovery: 'Nada foi perturbado ainda.',
  recoveredFrom: (what) => `após: ${what}`,
  afterHeal: (what) => `curado: ${what}`,
  principle: 'PFMI 17: duas horas',
  times: (factor) => `${factor} × dentro do limite de duas horas`,
  log: 'O que aconteceu',
  sum: 'Soma de todas as contas',
  onEveryNode: 'a mesma em cada nó que responde',
  sumBroken: 'diferente da soma emitida',
  account: 'Conta',
  balance: 'Saldo',
  transfers: 'Transferências',
  missing: 'Atrasadas',
  lastTransfers: 'Últimas transferências',
  via: 'via',
  unlike: 'nós divergem',
  node: 'Nó',
  mode: 'Modo',
  state: 'Estado',
  root: 'Raiz',
  peers: 'Ouve P2P / HTTP',
  keys: 'Chaves',
  writes: 'Escritas',
  arrivals: 'Chegou por gossip / push / sync',
  condition: 'Condição',
  deed: ptDeed,
  fact: (fact, figures) => {
    switch (fact.type) {
      case 'started':
        return `${fact.nodes} nós no ar, clientes escrevendo`;
      case 'mode':
        if (fact.nodes.length === 1)
          return fact.to === 'NONE'
            ? `${fact.nodes[0]} não ouve mais ninguém`
            : `${fact.nodes[0]} agora respira ${fact.to} (antes: ${fact.from})`;
        return fact.to === 'NONE'
          ? `${fact.nodes.length} nós não ouvem mais ninguém`
          : `${fact.nodes.length} nós agora respiram ${fact.to} (antes: ${fact.from})`;
      case 'reach':
        return fact.reach === 'up' ? `${fact.node} responde de novo` : `${fact.node} não responde`;
      case 'states':
        return fact.count === 1
          ? 'Um só estado de novo: todas as raízes são iguais'
          : `Os nós têm ${fact.count} estados diferentes`;
      case 'begun':
        return `Falha: ${ptDeed(fact.deed)}`;
      case 'ended':
        return `Curado: ${ptDeed(fact.deed)}`;
      case 'proof':
        return fact.proven
          ? `Provado, tem efeito: ${ptDeed(fact.deed)}${fact.dropped > 0 ? ` (${figures.count(fact.dropped)} retidos)` : ''}`
          : `Sem prova: ${ptDeed(fact.deed)}`;
      case 'recovered':
        return fact.after === 'fault'
          ? `Os dados chegam a todo nó em execução, ${figures.duration(fact.tookMs)} após a falha`
          : `Todos têm tudo, ${figures.duration(fact.tookMs)} após a cura`;
      case 'reconciled':
        return `${figures.count(fact.records)} registros que faltavam chegaram a ${fact.nodes.length === 1 ? fact.nodes[0] : `${fact.nodes.length} nós`}`;
      case 'conflict':
        return `Duas escritas em ${fact.key} não sabiam uma da outra: ambas foram mantidas`;
      case 'settled':
        return `${fact.key} resolvido: uma escrita que conhecia ambas as substituiu`;
      case 'written':
        return fact.outcome === 'ok'
          ? `${fact.key} foi escrita em ${fact.node}`
          : `${fact.node} não confirmou ${fact.key}`;
      case 'tour':
        return `Roteiro, ${PT.step[fact.step]('').title}: ${PT.verdict[fact.state]}`;
      case 'trouble':
        return `O laboratório tem um problema: ${fact.detail}`;
    }
  },
  step: {
    steady: () => ({
      title: 'Estado estável',
      hypothesis:
        'Nós independentes recebem transferências, o gossip as transporta e cada nó mostra um só e mesmo estado.',
      shown: 'Uma só cor, todos em P2P, nenhuma requisição falhou.',
    }),
    cutP2p: () => ({
      title: 'Ataque ao P2P',
      hypothesis:
        'O pulmão P2P de todos os nós é cortado. O HTTP assume em segundos; nenhum cliente percebe.',
      shown: 'O HTTP transportou, nenhuma requisição falhou, ainda um só estado.',
    }),
    cutHttp: () => ({
      title: 'Ataque ao HTTP',
      hypothesis:
        'Agora o pulmão HTTP entre os nós é cortado, e o P2P voltou. O gossip transporta; nenhum cliente percebe.',
      shown: 'O P2P transportou, nenhuma requisição falhou, ainda um só estado.',
    }),
    kill: (node) => ({
      title: 'Um nó morre',
      hypothesis: `${node} é morto (SIGKILL). Seus clientes procuram outros nós; os pagamentos continuam.`,
      shown: 'Os demais seguiram com tudo o que foi confirmado.',
    }),
    sum: () => ({
      title: 'A soma está intacta',
      hypothesis:
        'Toda transferência já confirmada está em cada nó sobrevivente, e as contas somam exatamente o que foi emitido.',
      shown: 'Auditado registro a registro: nada se perdeu, nem um centavo.',
    }),
    heal: (node) => ({
      title: 'A cura',
      hypothesis: `${node} é iniciado de novo. Ainda tem o que confirmou, recupera o resto e mostra o mesmo estado.`,
      shown: 'Todos os nós, um só estado, todas as transferências confirmadas.',
    }),
  },
  verdict: {
    waiting: 'por vir',
    announced: 'anunciado',
    running: 'em curso',
    pass: 'confirmada',
    fail: 'não se confirmou',
    inconclusive: 'sem prova',
    skipped: 'pulado',
  },
  hypothesis: 'Hipótese',
  detail: (detail, figures) => {
    switch (detail.type) {
      case 'audited':
        return `${figures.count(detail.transfers)} transferências em cada um de ${detail.nodes} nós`;
      case 'failed-requests':
        return detail.count === 1
          ? '1 requisição falhou'
          : `${figures.count(detail.count)} requisições falharam`;
      case 'trouble':
        return detail.text;
    }
  },
  tourEnded: (passed, all) => `${passed} de ${all} hipóteses confirmadas`,
  close: 'Fechar',
};

export const PAGE_WORDS: Readonly<Record<Language, PageWords>> = { en: EN, pt: PT };
