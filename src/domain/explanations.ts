import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Explanation } from './filing.ts';
import type { FilingTypeVersion } from './filing-type.ts';

/** The warning that no rule of a type gives: nothing stands for the period before. Explained by this word. */
export const EARLIER_PERIOD = 'earlier-period';

const MAX_EXPLANATIONS = 100;
const RULE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const POINTER = /^(\/([^~/]|~[01])*)+$/;
const MAX_POINTER = 512;
/** Letters, marks, numbers, punctuation, symbols and the plain space, as in a reference. */
const TEXT = /^(?=.*\S)[\p{L}\p{M}\p{N}\p{P}\p{S} ]{1,1000}$/u;

const MEMBERS: Readonly<
  Record<keyof Explanation, { readonly isRight: (text: string) => boolean; readonly must: Text }>
> = {
  rule: {
    isRight: (text) => RULE.test(text),
    must: { zh: '规则编号必填，例如 VAT-13', en: 'rule is required and must be the id of a rule, such as VAT-13' },
  },
  pointer: {
    isRight: (text) => text.length <= MAX_POINTER && POINTER.test(text),
    must: {
      zh: '位置应为提示中的 pointer，例如 /data/lines/13',
      en: "pointer must be a warning's own, such as /data/lines/13",
    },
  },
  text: {
    isRight: (text) => TEXT.test(text),
    must: { zh: '说明必填，1至1000个可见字符', en: 'text is required and must have 1 to 1000 printable characters' },
  },
};

/** What is wrong with the form of `explanations`, whatever the type. */
export function checkExplanations(value: unknown): Violation[] {
  if (!Array.isArray(value) || value.length > MAX_EXPLANATIONS) {
    return [
      violation('/explanations', {
        zh: `情况说明应为列表，至多${MAX_EXPLANATIONS}条`,
        en: `explanations must be a list of at most ${MAX_EXPLANATIONS}`,
      }),
    ];
  }
  return value.flatMap((each, i) => checkExplanation(each, `/explanations/${i}`));
}

function checkExplanation(value: unknown, at: string): Violation[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [
      violation(at, { zh: '每条说明应为含 rule 和 text 的对象', en: 'each must be an object with rule and text' }),
    ];
  const found: Violation[] = [];
  for (const [name, { isRight, must }] of Object.entries(MEMBERS)) {
    const member: unknown = Reflect.get(value, name);
    if (member === undefined && name === 'pointer') continue;
    if (typeof member !== 'string' || !isRight(member)) found.push(violation(`${at}/${name}`, must));
  }
  if (Object.keys(value).some((name) => !Object.hasOwn(MEMBERS, name)))
    found.push(violation(at, { zh: '有不认识的成员', en: 'There are unknown members' }));
  return found;
}

/** Explanations of rules that the version of the form does not have: nobody would ever read them. */
export function checkExplainedRules(
  explanations: readonly Explanation[] | undefined,
  version: FilingTypeVersion,
): Violation[] {
  if (explanations === undefined || explanations.length === 0) return [];
  const rules = new Set([EARLIER_PERIOD, ...version.rules.map((rule) => rule.id)]);
  return explanations.flatMap(({ rule }, i) =>
    rules.has(rule)
      ? []
      : [
          violation(
            `/explanations/${i}/rule`,
            { zh: '该表单版本没有这条规则', en: 'This version of the form has no such rule' },
            'explanation',
          ),
        ],
  );
}

/** The warnings, each with the filer's explanation of it (情况说明) if there is one: of its place, else of its rule. */
export function explain(
  warnings: readonly Violation[],
  explanations: readonly Explanation[] | undefined,
): readonly Violation[] {
  if (explanations === undefined || explanations.length === 0) return warnings;
  return warnings.map((warning) => {
    const ofRule = explanations.filter((each) => each.rule === (warning.rule ?? warning.code));
    const found =
      ofRule.find((each) => each.pointer === warning.pointer) ?? ofRule.find((each) => each.pointer === undefined);
    return found === undefined ? warning : { ...warning, explanation: found.text };
  });
}

function violation(pointer: string, message: Text, code = 'envelope'): Violation {
  return { pointer, code, severity: 'error', message };
}
