import { payloadBytes } from '../../src/client/filing.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import { addDays } from '../../src/domain/period-kinds.ts';
import { type FilerSigner, filerSigner, signPayload } from '../keys.ts';
import { settle, type VatFigures, vatLines } from '../vat.ts';
import { insurancePayload, lodgingPayloads, recallPayloads, type Share, vatPayload } from './forms.ts';
import type { Accepted, Outcome } from './submit.ts';
import { type DemoEnterprise, type DemoWorld, recentDay } from './world.ts';

/** How a filing is sent. `form-b`: one signature of the agent over many payloads. */
export type Channel = 'single' | 'form-a' | 'form-b';

/** Why a filing is sent, in the order in which the summary tells it. */
export const REASONS = {
  sample: { zh: '每个种类的样例各报三份', en: 'the example of each type, by three enterprises' },
  credit: { zh: '上月有留抵税额，本月未结转', en: 'last month’s credit, which this month’s return forgets' },
  original: { zh: '正常申报', en: 'filed as it should be' },
  'wrong-figure': { zh: '栏次或合计算错', en: 'a line or a total does not add up' },
  'wrong-period': { zh: '所属期填错', en: 'a wrong period' },
  'unknown-key': { zh: '用未登记的密钥签名', en: 'signed with a key that nobody registered' },
  'bad-signature': { zh: '签名被改动', en: 'a damaged signature' },
  'wrong-audience': { zh: '签给了别的网关', en: 'signed for another gateway' },
  'not-registered': { zh: '没有办理登记的企业', en: 'an enterprise without registration' },
  suspended: { zh: '已停用的企业', en: 'a suspended enterprise' },
  'no-mandate': { zh: '代理机构没有该户委托', en: 'the agent has no mandate' },
  fixed: { zh: '改正后重新申报', en: 'put right and filed again' },
  repeated: { zh: '没收到回执，原样重发', en: 'answer lost, same bytes sent again' },
  twice: { zh: '同一份同时发两次', en: 'sent twice at the same moment' },
  conflict: { zh: '同一申报换了内容再发', en: 'other content under the same key' },
  correction: { zh: '更正申报', en: 'a correction' },
  voiding: { zh: '作废', en: 'a voiding' },
  'second-correction': { zh: '更正已被更正的申报', en: 'correcting what was corrected already' },
  refiled: { zh: '作废后重新申报', en: 'a new original after the voiding' },
} as const;
export type Reason = keyof typeof REASONS;

/** One submission, with what must come of it: `accepted`, `replayed`, or the code of the problem. */
export interface Job {
  readonly reason: Reason;
  readonly channel: Channel;
  readonly payload: FilingPayload;
  readonly filer: DemoEnterprise;
  /** Absent in form B, which is signed as a whole. */
  readonly jws?: string;
  readonly expected: string;
}

/** The first round: everyone's month, with the mistakes that people make. */
export function firstRound(world: DemoWorld): Job[] {
  return world.enterprises.flatMap((filer) => monthOf(world, filer));
}

function monthOf(world: DemoWorld, filer: DemoEnterprise): Job[] {
  const { random, month } = world;
  const periodic = [
    ...(filer.general ? [vatPayload(random, filer, month)] : []),
    insurancePayload(random, filer, month),
  ];
  const jobs = periodic.map((payload) => originalJob(world, filer, payload));
  const events = eventsOf(world, filer).map((payload) => originalJob(world, filer, payload));
  return [...jobs.map((job) => mistaken(world, job)), ...events];
}

function eventsOf(world: DemoWorld, filer: DemoEnterprise): FilingPayload[] {
  const { random, run } = world;
  if (filer.standing !== 'good') return [];
  if (filer.trade === 'maker')
    return recallPayloads(random, filer, recentDay(world, random.integer(1, 4)), `RC-${run}-${filer.index}`);
  if (filer.trade !== 'hotel') return [];
  return Array.from({ length: random.integer(6, 14) }, (_, guest) => {
    // Most guests arrived today; stays that are told of after days are late, as the summary shows.
    const nights = random.chance(0.75) ? 0 : random.integer(1, 3);
    const day = recentDay(world, nights);
    return lodgingPayloads(random, filer, { day, nights, reference: `LD-${run}-${filer.index}-${guest}` });
  }).flat();
}

function originalJob({ agent }: DemoWorld, filer: DemoEnterprise, payload: FilingPayload): Job {
  if (filer.standing === 'unregistered')
    return signed(filer.signer, {
      reason: 'not-registered',
      channel: 'single',
      payload,
      filer,
      expected: 'not-registered',
    });
  if (filer.standing === 'suspended')
    return signed(filer.signer, {
      reason: 'suspended',
      channel: 'single',
      payload,
      filer,
      expected: 'party-suspended',
    });
  const job = { reason: 'original', payload, filer, expected: 'accepted' } as const;
  const isPeriodic = payload.reference === undefined;
  if (filer.byAgent && isPeriodic) {
    // Every third client's filings go one by one, signed by the agent.
    return filer.index % 3 === 0 ? signed(agent.signer, { ...job, channel: 'single' }) : { ...job, channel: 'form-b' };
  }
  return signed(filer.signer, { ...job, channel: isPeriodic && filer.index % 3 === 0 ? 'form-a' : 'single' });
}

export function signed(signer: FilerSigner, job: Omit<Job, 'jws'>): Job {
  return { ...job, jws: signPayload(signer, Buffer.from(payloadBytes(job.payload)).toString()) };
}

/** Some of the filings, each wrong in one way; the others as they were. */
function mistaken(world: DemoWorld, job: Job): Job {
  const { filer, payload } = job;
  const { index } = filer;
  const isVat = payload.type === 'tax.vat.general';
  if (job.reason !== 'original') return job;
  if (isVat && index % 24 === 9) return wrongJob(job, 'wrong-figure', withWrongLine(payload));
  if (!isVat && index % 30 === 11) return wrongJob(job, 'wrong-figure', withWrongTotal(payload));
  if (isVat && index % 45 === 14) return wrongJob(job, 'wrong-period', withWrongPeriod(payload));
  if (filer.byAgent || !isVat) return job;
  if (index % 125 === 26)
    return { ...signed(world.stranger, { ...job, reason: 'unknown-key' }), expected: 'unknown-key' };
  if (index % 125 === 34) return { ...job, reason: 'bad-signature', jws: damaged(job), expected: 'bad-signature' };
  if (index % 125 === 42) {
    const elsewhere = filerSigner(filer.key, 'https://another-gateway.example');
    return { ...signed(elsewhere, { ...job, reason: 'wrong-audience' }), expected: 'wrong-audience' };
  }
  if (index % 125 === 58) {
    return {
      ...signed(world.agent.signer, { ...job, reason: 'no-mandate', channel: 'single' }),
      expected: 'no-mandate',
    };
  }
  return job;
}

function wrongJob(job: Job, reason: Reason, payload: FilingPayload): Job {
  const wrong = { ...job, reason, payload, expected: 'invalid-filing' };
  return job.channel === 'form-b' ? wrong : signed(job.filer.signer, wrong);
}

/** Line 24 does not follow from the lines above it. */
function withWrongLine(payload: FilingPayload): FilingPayload {
  const { lines } = payload.data as { lines: Record<string, { generalMonth: number }> };
  return { ...payload, data: { lines: { ...lines, 24: { generalMonth: (lines[24]?.generalMonth ?? 0) + 100 } } } };
}

function withWrongTotal(payload: FilingPayload): FilingPayload {
  const data = payload.data as { totals: Record<string, Share>; totalDue: number };
  return { ...payload, data: { ...data, totalDue: data.totalDue + 1 } };
}

/** The commonest mistake: the dates of the filing instead of the whole month that it is for. */
function withWrongPeriod(payload: FilingPayload): FilingPayload {
  return { ...payload, period: { from: payload.period.from, to: addDays(payload.period.to, 5) } };
}

/** One bit of the signature is another; it stays well formed. */
function damaged(job: Job): string {
  const [header = '', content = '', signature = ''] = (job.jws ?? '').split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
  return [header, content, bytes.toString('base64url')].join('.');
}

const CAN_BE_FIXED: ReadonlySet<Reason> = new Set([
  'wrong-figure',
  'wrong-period',
  'unknown-key',
  'bad-signature',
  'wrong-audience',
  'no-mandate',
]);

/** The second round: mistakes put right, answers that were lost, and a few who change their mind the wrong way. */
export function secondRound(world: DemoWorld, records: readonly Outcome[]): Job[] {
  const fixed = records.filter(({ job }) => CAN_BE_FIXED.has(job.reason)).map(({ job }) => fixedJob(world, job));
  const accepted = records.flatMap((record) => record.accepted ?? []);
  const alone = accepted.filter(({ job }) => job.jws !== undefined);
  const repeated = alone
    .filter((_, i) => i % 33 === 7)
    .map(
      ({ job }, i): Job => ({ ...job, reason: 'repeated', expected: 'replayed', channel: i % 2 ? 'single' : 'form-a' }),
    );
  const conflicts = alone
    .filter(({ job }) => job.payload.type === 'tax.vat.general' && job.filer.index % 90 === 20)
    .map(({ job }) => {
      const payload = { ...job.payload, data: vatData({ 1: 100_000_00, 2: 100_000_00, 12: 9_000_00 }) };
      return signed(job.filer.signer, {
        ...job,
        payload,
        reason: 'conflict',
        expected: 'filing-conflict',
        channel: 'single',
      });
    });
  return [...fixed, ...repeated, ...conflicts];
}

function fixedJob(world: DemoWorld, job: Job): Job {
  const { filer } = job;
  const payload =
    job.payload.type === 'tax.vat.general'
      ? vatPayload(world.random, filer, world.month)
      : insurancePayload(world.random, filer, world.month);
  return signed(filer.signer, { reason: 'fixed', channel: 'single', payload, filer, expected: 'accepted' });
}

function vatData(figures: VatFigures): object {
  return { lines: vatLines(settle(figures), 'usual') };
}

/** The third round: corrections and voidings of what was accepted. */
export function thirdRound(accepted: readonly Accepted[]): Job[] {
  return accepted.flatMap(({ job, filing }): Job[] => {
    const { filer } = job;
    const isVat = filing.type === 'tax.vat.general';
    const again = { filer, channel: 'single', expected: 'accepted' } as const;
    if (isVat && filer.index % 40 === 6) {
      const data = vatData({ 1: 52_300_00 + filer.index, 2: 52_300_00 + filer.index, 12: 3_100_00 });
      const payload = { ...job.payload, kind: 'correction', supersedes: filing.id, data } as const;
      return [signed(filer.signer, { ...again, reason: 'correction', payload })];
    }
    if (filing.type === 'si.contribution' && filer.index % 70 === 12) {
      const { data: _, ...envelope } = job.payload;
      const payload = { ...envelope, kind: 'void', supersedes: filing.id } as const;
      return [signed(filer.signer, { ...again, reason: 'voiding', payload })];
    }
    return [];
  });
}

/** The fourth round: new originals after voidings, and corrections that come too late. */
export function fourthRound(world: DemoWorld, third: readonly Accepted[]): Job[] {
  return third.flatMap(({ job, filing }): Job[] => {
    const { filer } = job;
    const again = { filer, channel: 'single' } as const;
    if (job.reason === 'voiding') {
      const payload = { ...insurancePayload(world.random, filer, world.month), supersedes: filing.id };
      return [signed(filer.signer, { ...again, reason: 'refiled', payload, expected: 'accepted' })];
    }
    if (filer.index % 120 !== 6) return [];
    const data = vatData({ 1: 77_700_00, 2: 77_700_00, 12: 4_000_00 });
    const payload = { ...job.payload, data };
    return [signed(filer.signer, { ...again, reason: 'second-correction', payload, expected: 'superseded' })];
  });
}

/** Pairs that are sent at the same moment: one is stored, both get the same receipt. */
export function isSentTwice(job: Job): boolean {
  return job.reason === 'original' && job.channel === 'single' && job.filer.index % 50 === 2;
}
