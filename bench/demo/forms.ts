import type { FilingPayload, Period } from '../../src/domain/filing.ts';
import { checkGtin13, makeResidentId } from '../../src/domain/identifiers.ts';
import { addDays } from '../../src/domain/period-kinds.ts';
import type { PlainDate } from '../../src/std/clock.ts';
import type { SeededRandom } from '../random.ts';
import { percentOf, vatFigures, vatLines } from '../vat.ts';
import type { DemoEnterprise } from './world.ts';

// Realistic payloads of the types that everyone files. People and products are made up.

const FAMILY = ['陈', '林', '黄', '张', '李', '王', '吴', '刘', '蔡', '杨', '许', '郑'] as const;
const GIVEN = ['明', '丽华', '建国', '秀英', '志强', '晓燕', '伟', '海燕', '文杰', '雅婷', '俊', '梅'] as const;

/** Basis points of the base; the employer's share and the person's own. */
const RATES = {
  pension: { employer: 1600, personal: 800 },
  medical: { employer: 800, personal: 200 },
  unemployment: { employer: 50, personal: 50 },
  injury: { employer: 40 },
} as const;
const INSURANCES = ['pension', 'medical', 'unemployment', 'injury'] as const;
const AVERAGE_WAGE = 800_000;

export interface Share {
  base: number;
  employer: number;
  personal?: number;
}

export function vatPayload(random: SeededRandom, filer: DemoEnterprise, period: Period): FilingPayload {
  const lines = vatLines(vatFigures(random), 'usual');
  return { type: 'tax.vat.general', filer: filer.uscc, period, kind: 'original', data: { lines } };
}

export function insurancePayload(random: SeededRandom, filer: DemoEnterprise, period: Period): FilingPayload {
  const people = staff(random, filer.region).map((person) => {
    const wage = random.integer(49, 230) * 10_000 + random.integer(0, 9_999);
    return { ...person, wage, ...shares(wage) };
  });
  const totals = Object.fromEntries(
    INSURANCES.map((name) => [name, people.map((person) => person[name]).reduce(addShares)] as const),
  );
  const totalDue = Object.values(totals).reduce((sum, share) => sum + share.employer + (share.personal ?? 0), 0);
  const data = {
    socialInsuranceNumber: `${filer.region}${String(filer.index).padStart(7, '0')}`,
    region: filer.region,
    averageWage: AVERAGE_WAGE,
    personCount: people.length,
    rates: RATES,
    totals,
    totalDue,
    persons: people,
  };
  return { type: 'si.contribution', filer: filer.uscc, period, kind: 'original', data };
}

/** A handful of people; the median enterprise has five, a few have forty. */
function staff(random: SeededRandom, region: string): { name: string; idType: 'resident-id'; idNumber: string }[] {
  const count = Math.max(1, Math.min(40, Math.round(5 * Math.exp((random.unit() + random.unit() - 1) * 2))));
  const people = new Map<string, { name: string; idType: 'resident-id'; idNumber: string }>();
  while (people.size < count) {
    const { name, idNumber } = person(random, region);
    people.set(idNumber, { name, idType: 'resident-id', idNumber });
  }
  return [...people.values()];
}

function person(
  random: SeededRandom,
  region: string,
): { name: string; idNumber: string; birth: PlainDate; sex: '1' | '2' } {
  const two = (least: number, most: number): string => String(random.integer(least, most)).padStart(2, '0');
  const birth = `${random.integer(1968, 2003)}-${two(1, 12)}-${two(1, 28)}`;
  const serial = random.integer(1, 998);
  const sex = serial % 2 === 1 ? '1' : '2';
  return {
    name: `${random.pick(FAMILY)}${random.pick(GIVEN)}`,
    idNumber: makeResidentId(birth, serial, region),
    birth,
    sex,
  };
}

function shares(wage: number): Record<(typeof INSURANCES)[number], Share> {
  const base = Math.min(Math.max(wage, percentOf(AVERAGE_WAGE, 60)), AVERAGE_WAGE * 3);
  const of = (basisPoints: number): number => Math.floor((base * basisPoints + 5_000) / 10_000);
  const both = ({ employer, personal }: { employer: number; personal: number }): Share => ({
    base,
    employer: of(employer),
    personal: of(personal),
  });
  return {
    pension: both(RATES.pension),
    medical: both(RATES.medical),
    unemployment: both(RATES.unemployment),
    injury: { base, employer: of(RATES.injury.employer) },
  };
}

function addShares(a: Share, b: Share): Share {
  const sum = { base: a.base + b.base, employer: a.employer + b.employer };
  return a.personal === undefined ? sum : { ...sum, personal: a.personal + (b.personal ?? 0) };
}

const FOODS = ['花生酱', '鱼丸', '茉莉花茶', '芋泥酥', '肉燕', '橄榄汁'] as const;
const DEFECTS = [
  { defect: '抽检发现菌落总数超过限量', harm: '可能引起肠胃不适', level: 2 },
  { defect: '标签未标示花生过敏原', harm: '过敏人群食用后可能出现过敏反应', level: 1 },
  { defect: '净含量标示不符', harm: '未见健康危害', level: 3 },
] as const;

/** A recall and, when it is older than a day, its summary: two events that name each other. */
export function recallPayloads(
  random: SeededRandom,
  filer: DemoEnterprise,
  day: PlainDate,
  reference: string,
): FilingPayload[] {
  const produced = random.integer(20, 400) * 100;
  const sold = Math.floor(produced * 0.8);
  const food = random.pick(FOODS);
  const made = addDays(day, -random.integer(20, 90));
  const about = {
    product: {
      category: 'food',
      name: `榕城牌${food}`,
      brand: '榕城',
      gtin: gtin(random),
      model: `${random.pick([150, 250, 340, 500])}克/袋`,
      batches: [`${made.replaceAll('-', '')}A`],
      producedFrom: made,
      producedTo: made,
    },
    regions: [filer.region],
    ...random.pick(DEFECTS),
    casualties: { deaths: 0, injuries: 0 },
    measures: '通知经销商停售、下架并退回；公告消费者退货退款',
    discoveredOn: addDays(day, -1),
    startedOn: day,
    contact: { name: `${random.pick(FAMILY)}经理`, telephone: '0591-00000000' },
  };
  const quantities = { produced, inStock: produced - sold, sold };
  const event = (date: PlainDate, ref: string, data: object): FilingPayload => ({
    type: 'amr.recall',
    filer: filer.uscc,
    period: { from: date, to: date },
    reference: ref,
    kind: 'original',
    data: { ...about, ...data },
  });
  const start = event(day, reference, { stage: 'start', quantities });
  if (random.chance(0.5)) return [start];
  const recalled = Math.floor((sold * random.integer(60, 98)) / 100);
  const completionRate = Math.floor((recalled * 10_000 + sold / 2) / sold);
  const done = { stage: 'summary', quantities: { ...quantities, recalled }, startReference: reference, completionRate };
  return [start, event(addDays(day, 1), `${reference}-S`, done)];
}

function gtin(random: SeededRandom): string {
  const body = `690${String(random.integer(0, 999_999_999)).padStart(9, '0')}`;
  const check = Array.from({ length: 10 }, (_, digit) => `${body}${digit}`).find((code) => checkGtin13(code).ok);
  return check as string;
}

/** A guest's arrival and, when `nights` have passed, departure. */
export function lodgingPayloads(
  random: SeededRandom,
  hotel: DemoEnterprise,
  stay: { readonly day: PlainDate; readonly nights: number; readonly reference: string },
): FilingPayload[] {
  const { name, idNumber, birth, sex } = person(random, '350102');
  const clock = (hour: number): string => `${String(hour).padStart(2, '0')}:${String(random.integer(10, 59))}:00+08:00`;
  const about = {
    hotel: { code: `${hotel.region}${String(hotel.index % 10_000).padStart(4, '0')}`, name: hotel.name },
    guest: {
      category: 'domestic',
      name,
      idType: 'resident-id',
      idNumber,
      sex,
      birthDate: birth,
      ethnicity: '01',
      region: '350102',
    },
    room: String(random.integer(2, 18) * 100 + random.integer(1, 24)),
    checkIn: `${stay.day}T${clock(random.integer(0, 5))}`,
    faceCheck: { result: 'match', similarity: random.integer(90, 99) },
  };
  const event = (date: PlainDate, reference: string, data: object): FilingPayload => ({
    type: 'psb.lodging',
    filer: hotel.uscc,
    period: { from: date, to: date },
    reference,
    kind: 'original',
    data: { ...about, ...data },
  });
  const arrival = event(stay.day, stay.reference, { event: 'check-in' });
  if (stay.nights === 0) return [arrival];
  const left = addDays(stay.day, stay.nights);
  const departure = { event: 'check-out', checkOut: `${left}T${clock(random.integer(6, 11))}` };
  return [arrival, event(left, `${stay.reference}-O`, departure)];
}
