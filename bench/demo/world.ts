import type { Agency, Period } from '../../src/domain/filing.ts';
import { makeUscc } from '../../src/domain/identifiers.ts';
import { addDays, addMonths, periodContaining } from '../../src/domain/period-kinds.ts';
import type { PlainDate } from '../../src/std/clock.ts';
import type { Text } from '../../src/std/text.ts';
import { type CorpusKey, type FilerSigner, filerSigner, makeKey, publicHalf } from '../keys.ts';
import { SeededRandom, seedNumber } from '../random.ts';

export interface DemoOffice {
  readonly code: string;
  readonly agency: Agency;
  readonly region: string;
  readonly name: Text;
  readonly key: CorpusKey;
}

export interface DemoEnterprise {
  readonly index: number;
  readonly uscc: string;
  readonly name: string;
  readonly region: string;
  readonly key: CorpusKey;
  readonly signer: FilerSigner;
  /** 一般纳税人; the others do not file the general VAT return. */
  readonly general: boolean;
  /** `hotel` registers guests, `maker` recalls products. */
  readonly trade: 'hotel' | 'maker' | 'other';
  /** What the operator forgot, or did on purpose. */
  readonly standing: 'good' | 'unregistered' | 'suspended';
  readonly byAgent: boolean;
}

/** Everyone who takes part in one run of the demo. */
export interface DemoWorld {
  readonly run: string;
  /** Secret: keys come from it. */
  readonly seed: string;
  readonly issuer: string;
  readonly today: PlainDate;
  /** The tax period: last month. */
  readonly month: Period;
  readonly offices: readonly DemoOffice[];
  readonly enterprises: readonly DemoEnterprise[];
  /** A general and a small taxpayer in each district, who file one of everything. */
  readonly samplers: readonly DemoEnterprise[];
  readonly agent: {
    readonly uscc: string;
    readonly name: string;
    readonly key: CorpusKey;
    readonly signer: FilerSigner;
  };
  /** A key that nobody has registered. */
  readonly stranger: FilerSigner;
  readonly random: SeededRandom;
}

const DISTRICTS: readonly (Text & { readonly region: string })[] = [
  { region: '350102', zh: '鼓楼区', en: 'Gulou' },
  { region: '350103', zh: '台江区', en: 'Taijiang' },
  { region: '350104', zh: '仓山区', en: 'Cangshan' },
];

const AGENCIES: readonly (Text & { readonly agency: Agency; readonly digit: number })[] = [
  { agency: 'tax', digit: 1, zh: '税务局', en: 'Tax Bureau' },
  { agency: 'si', digit: 2, zh: '社会保险中心', en: 'Social Insurance' },
  { agency: 'amr', digit: 3, zh: '市场监督管理局', en: 'Market Regulation' },
  { agency: 'psb', digit: 4, zh: '公安分局', en: 'Public Security' },
  { agency: 'city', digit: 5, zh: '城市管理局', en: 'Urban Management' },
  { agency: 'emg', digit: 6, zh: '应急管理局', en: 'Emergency Management' },
];

const BRANDS = [
  '恒信',
  '锦程',
  '海润',
  '宏达',
  '瑞丰',
  '嘉禾',
  '鑫源',
  '永泰',
  '闽兴',
  '榕城',
  '同心',
  '华茂',
] as const;
const TRADES = ['贸易', '电子', '机械', '物流', '软件', '纺织', '建材', '装饰', '餐饮', '咨询'] as const;

/** Serials of synthetic codes; each run begins somewhere else. */
const SERIALS = 31 ** 6;
const SINCE = '2020-01-01';
const SAMPLERS = 2 * DISTRICTS.length;

export interface WorldInput {
  readonly seed: string;
  readonly run: string;
  readonly issuer: string;
  readonly today: PlainDate;
  readonly enterprises: number;
}

export function makeWorld({ seed, run, issuer, today, enterprises }: WorldInput): DemoWorld {
  const first = seedNumber(`demo ${seed}`) % (SERIALS - enterprises - 1 - SAMPLERS);
  const agentKey = makeKey(seed, -1);
  return {
    run,
    seed,
    issuer,
    today,
    month: periodContaining('month', addMonths(`${today.slice(0, 8)}01`, -1)),
    offices: DISTRICTS.flatMap((district) => AGENCIES.map((agency) => makeOffice(seed, district, agency))),
    enterprises: Array.from({ length: enterprises }, (_, index) => makeEnterprise(seed, issuer, first, index)),
    samplers: Array.from({ length: SAMPLERS }, (_, i) => makeSampler(seed, issuer, first, enterprises + 1 + i, i)),
    agent: {
      uscc: makeUscc(first + enterprises),
      name: '福州榕诚财税代理有限公司（演示）',
      key: agentKey,
      signer: filerSigner(agentKey, issuer),
    },
    stranger: filerSigner(makeKey(seed, -2), issuer),
    random: new SeededRandom(seedNumber(seed), 0x5eed),
  };
}

/** The offices stay from run to run; each run gives them another key. */
function makeOffice(seed: string, district: (typeof DISTRICTS)[number], agency: (typeof AGENCIES)[number]): DemoOffice {
  const code = `${agency.digit}${district.region}0000`;
  return {
    code,
    agency: agency.agency,
    region: district.region,
    name: { zh: `福州市${district.zh}${agency.zh}（演示）`, en: `${district.en} ${agency.en} (demo)` },
    key: makeKey(`${seed} office`, Number(code)),
  };
}

function makeEnterprise(seed: string, issuer: string, first: number, index: number): DemoEnterprise {
  const random = new SeededRandom(seedNumber(seed), index, 1);
  const key = makeKey(seed, index);
  const trade = index % 16 === 3 ? 'hotel' : index % 25 === 7 ? 'maker' : 'other';
  const kind = trade === 'hotel' ? '酒店管理' : trade === 'maker' ? '食品' : random.pick(TRADES);
  const standing = index % 200 === 50 ? 'unregistered' : index % 500 === 120 ? 'suspended' : 'good';
  return {
    index,
    uscc: makeUscc(first + index),
    name: `福州${random.pick(BRANDS)}${kind}有限公司（演示）`,
    region: (DISTRICTS[index % DISTRICTS.length] as (typeof DISTRICTS)[number]).region,
    key,
    signer: filerSigner(key, issuer),
    general: index % 12 !== 5,
    trade,
    standing,
    byAgent: standing === 'good' && trade === 'other' && index % 4 === 1,
  };
}

function makeSampler(seed: string, issuer: string, first: number, index: number, i: number): DemoEnterprise {
  const { region, zh } = DISTRICTS[i % DISTRICTS.length] as (typeof DISTRICTS)[number];
  const key = makeKey(seed, index);
  const general = i < DISTRICTS.length;
  return {
    index,
    uscc: makeUscc(first + index),
    name: `福州${zh}样例${general ? '' : '小微'}企业有限公司（演示）`,
    region,
    key,
    signer: filerSigner(key, issuer),
    general,
    trade: 'other',
    standing: 'good',
    byAgent: false,
  };
}

/** What the operator imports: offices, enterprises with keys and registrations, the agent with its mandates. */
export function* worldLines(world: DemoWorld): Generator<string> {
  for (const { code, agency, region, name, key } of world.offices) {
    yield line({ op: 'office', office: code, agency, region, name });
    yield line({ op: 'party', id: code, kind: 'office', name: name.zh });
    yield line({ op: 'key', party: code, jwk: publicHalf(key) });
  }
  const { agent } = world;
  yield line({ op: 'party', id: agent.uscc, kind: 'agent', name: agent.name });
  yield line({ op: 'key', party: agent.uscc, jwk: publicHalf(agent.key) });
  for (const { uscc, name, general, standing, region, key, byAgent, index } of [
    ...world.enterprises,
    ...world.samplers,
  ]) {
    const status = standing === 'suspended' ? 'suspended' : 'active';
    yield line({ op: 'party', id: uscc, kind: 'filer', name, taxpayerKind: general ? 'general' : 'small', status });
    yield line({ op: 'key', party: uscc, jwk: publicHalf(key) });
    if (standing !== 'unregistered') {
      const offices = world.offices.filter((office) => office.region === region);
      const registrations = offices.map(({ code }) => ({ office: code, from: SINCE }));
      yield line({ op: 'registration', filer: uscc, registrations });
    }
    if (byAgent) {
      const id = `demo-${world.run}-${index}`;
      yield line({ op: 'mandate', id, agent: agent.uscc, filer: uscc, types: ['tax.*', 'si.*'], from: SINCE });
    }
  }
}

function line(value: object): string {
  return JSON.stringify(value);
}

/** A day of the last few, today included. */
export function recentDay(world: DemoWorld, daysAgo: number): PlainDate {
  return addDays(world.today, -daysAgo);
}
