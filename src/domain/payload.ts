import { isPlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import { checkExplainedRules, checkExplanations } from './explanations.ts';
import { FILING_KINDS, type FilingPayload, isOfficeCode, type Period, parseFilingId } from './filing.ts';
import type { FilingType } from './filing-type.ts';
import { isInForce } from './filing-types.ts';
import { checkUscc } from './identifiers.ts';

export type EnvelopeResult =
  | { readonly payload: FilingPayload; readonly errors?: never }
  | { readonly errors: readonly Violation[]; readonly payload?: never };

type Check = (value: unknown) => { readonly code: string; readonly message: Text } | undefined;

interface Member {
  readonly required: boolean;
  readonly check: Check;
}

const TYPE_NAME = /^[a-z]+(\.[a-z0-9-]+)+$/;
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.-]{0,31}$/;
const MAX_REFERENCE = 64;

const fault = (code: string, zh: string, en: string): { code: string; message: Text } => ({
  code,
  message: { zh, en },
});

const textThat =
  (isRight: (text: string) => boolean, zh: string, en: string, code = 'envelope'): Check =>
  (value) =>
    typeof value === 'string' && isRight(value) ? undefined : fault(code, zh, en);

const date = textThat(isPlainDate, '应为存在的日期，格式 YYYY-MM-DD', 'must be an existing date, YYYY-MM-DD', 'period');

/** What a payload may have, and nothing else. `period`, `explanations` and `data` are looked into separately. */
const MEMBERS: Readonly<Record<string, Member>> = {
  type: {
    required: true,
    check: textThat(
      (text) => text.length <= 64 && TYPE_NAME.test(text),
      '应为申报类型代码，例如 tax.vat.general',
      'must be a filing type such as tax.vat.general',
    ),
  },
  version: {
    required: false,
    check: textThat((text) => VERSION.test(text), '应为版本号，例如 2026-02', 'must be a version such as 2026-02'),
  },
  filer: { required: true, check: usccCheck },
  period: {
    required: true,
    check: (value) =>
      isObject(value) ? undefined : fault('envelope', '应为含 from 和 to 的对象', 'must be an object with from and to'),
  },
  reference: {
    required: false,
    check: textThat(
      isReference,
      '应为1至64个可见字符，首尾无空格，不含控制字符',
      'must have 1 to 64 printable characters, without blanks at its ends or controls',
    ),
  },
  office: {
    required: false,
    check: textThat(
      isOfficeCode,
      '应为机关代码（1至32位字母、数字或连字符）',
      "must be an office's code: 1 to 32 letters, digits or hyphens",
    ),
  },
  supersedes: {
    required: false,
    check: textThat(
      (text) => parseFilingId(text) !== undefined,
      '应为申报编号，例如 13501000000.42',
      'must be a filing id such as 13501000000.42',
    ),
  },
  kind: {
    required: true,
    check: textThat(
      (text) => (FILING_KINDS as readonly string[]).includes(text),
      '只能是 original、correction、supplement 或 void',
      'must be original, correction, supplement or void',
    ),
  },
  explanations: { required: false, check: () => undefined },
  data: {
    required: false,
    check: (value) => (isObject(value) ? undefined : fault('envelope', '应为对象', 'must be an object')),
  },
};

const NAMES: Readonly<Record<string, Text>> = {
  type: { zh: '申报类型', en: 'type' },
  version: { zh: '版本', en: 'version' },
  filer: { zh: '申报人', en: 'filer' },
  period: { zh: '所属期', en: 'period' },
  from: { zh: '所属期起', en: 'period.from' },
  to: { zh: '所属期止', en: 'period.to' },
  reference: { zh: '申报人单据号', en: 'reference' },
  office: { zh: '受理机关', en: 'office' },
  supersedes: { zh: '被替代的申报', en: 'supersedes' },
  kind: { zh: '申报性质', en: 'kind' },
  explanations: { zh: '情况说明', en: 'explanations' },
  data: { zh: '申报内容', en: 'data' },
};

/** Checks everything about a payload that does not depend on its type, and reports all of it at once. */
export function checkEnvelope(value: unknown): EnvelopeResult {
  if (!isObject(value))
    return { errors: [violation('', fault('envelope', '申报应为 JSON 对象', 'A filing must be a JSON object'))] };
  const errors: Violation[] = [];
  checkMembers(value, MEMBERS, '', errors);
  if (isObject(value.period)) checkPeriodMembers(value.period, errors);
  if (value.explanations !== undefined) errors.push(...checkExplanations(value.explanations));
  checkKind(value, errors);
  return errors.length === 0 ? { payload: value as unknown as FilingPayload } : { errors };
}

function checkMembers(
  value: Readonly<Record<string, unknown>>,
  members: Readonly<Record<string, Member>>,
  parent: string,
  errors: Violation[],
): void {
  for (const [name, member] of Object.entries(members)) {
    const found = value[name];
    if (found === undefined) {
      if (member.required)
        errors.push(named(`${parent}/${name}`, name, fault('envelope', '必填，不能缺少', 'is required')));
      continue;
    }
    const problem = member.check(found);
    if (problem !== undefined) errors.push(named(`${parent}/${name}`, name, problem));
  }
  const surplus = Object.keys(value).filter((name) => !Object.hasOwn(members, name)).length;
  // The members' names are the sender's text, so only their number is told.
  if (surplus > 0)
    errors.push(
      violation(parent, fault('envelope', `有 ${surplus} 个不认识的成员`, `There are ${surplus} unknown members`)),
    );
}

function checkPeriodMembers(period: Readonly<Record<string, unknown>>, errors: Violation[]): void {
  const before = errors.length;
  checkMembers(
    period,
    { from: { required: true, check: date }, to: { required: true, check: date } },
    '/period',
    errors,
  );
  if (errors.length > before) return;
  const { from, to } = period as unknown as Period;
  if (from > to)
    errors.push(
      violation('/period', fault('period', '所属期起不得晚于所属期止', 'The period must not end before it begins')),
    );
}

/** A correction, supplement or voiding says what it replaces; an original may, when it follows a voiding. */
function checkKind({ kind, supersedes, data }: Readonly<Record<string, unknown>>, errors: Violation[]): void {
  if ((kind === 'correction' || kind === 'supplement' || kind === 'void') && supersedes === undefined) {
    errors.push(
      violation(
        '/supersedes',
        fault(
          'kind',
          '更正、补充或作废须注明被替代的申报编号',
          'A correction, supplement or voiding must name the filing that it replaces',
        ),
      ),
    );
  }
  if ((kind === 'original' || kind === 'correction' || kind === 'supplement') && data === undefined) {
    errors.push(violation('/data', fault('envelope', '申报内容必填，不能缺少', 'data is required')));
  }
}

/** What the type asks of the envelope. The type is known; its schema and rules are checked elsewhere. */
export function checkAgainstType(payload: FilingPayload, type: FilingType): Violation[] {
  const errors: Violation[] = [];
  if (type.isEvent && payload.reference === undefined) {
    errors.push(
      violation(
        '/reference',
        fault('reference', '事件类申报须填写申报人单据号', 'This type files events: reference is required'),
      ),
    );
  }
  if (!type.isEvent && payload.reference !== undefined) {
    errors.push(
      violation(
        '/reference',
        fault('reference', '定期申报不得填写申报人单据号', 'This type is filed by period: reference must be absent'),
      ),
    );
  }
  const period = type.checkPeriod(payload.period);
  if (period !== undefined) errors.push(period);
  if (payload.kind !== 'original' && !type.metadata.kinds[payload.kind]) {
    errors.push(
      violation('/kind', fault('kind', '该申报类型不允许这种申报性质', 'This type does not allow this kind of filing')),
    );
  }
  const version = checkVersion(payload, type);
  if (version !== undefined) errors.push(version);
  const resolved = type.resolve(payload.version, payload.period);
  if (resolved !== undefined) errors.push(...checkExplainedRules(payload.explanations, resolved));
  return errors;
}

function checkVersion({ version, period }: FilingPayload, type: FilingType): Violation | undefined {
  const resolved = type.resolve(version, period);
  if (version === undefined) {
    return resolved === undefined
      ? violation(
          '/period',
          fault('version', '所属期内没有有效的表单版本', 'No version of the form is in force for this period'),
        )
      : undefined;
  }
  if (resolved === undefined)
    return violation('/version', fault('version', '没有这个表单版本', 'The form has no such version'));
  if (isInForce(resolved, period)) return undefined;
  return violation(
    '/version',
    fault('version', '该表单版本不适用于此所属期', 'This version of the form is not in force for this period'),
  );
}

function usccCheck(value: unknown): ReturnType<Check> {
  if (typeof value !== 'string')
    return fault('identifier', '应为18位统一社会信用代码', 'must be an 18-character unified social credit code');
  const result = checkUscc(value);
  return result.ok ? undefined : { code: 'identifier', message: result.reason };
}

/** Printable: letters, marks, numbers, punctuation, symbols and the plain space; no control, format or surrogate code points. */
function isReference(text: string): boolean {
  return (
    text.length > 0 &&
    text.length <= MAX_REFERENCE &&
    /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u.test(text) &&
    text.trim() === text
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function violation(pointer: string, problem: { readonly code: string; readonly message: Text }): Violation {
  return { pointer, code: problem.code, severity: 'error', message: problem.message };
}

function named(pointer: string, name: string, problem: { readonly code: string; readonly message: Text }): Violation {
  const label = NAMES[name] ?? { zh: name, en: name };
  return violation(pointer, {
    code: problem.code,
    message: { zh: `${label.zh}：${problem.message.zh}`, en: `${label.en}: ${problem.message.en}` },
  });
}
