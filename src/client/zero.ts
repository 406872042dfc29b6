import type { FilingPayload } from '../domain/filing.ts';
import type { Language, Text } from '../std/text.ts';
import { ShenbaoError } from './errors.ts';
import { payloadBytes, payloadDigest } from './filing.ts';
import type { Filing, FillPlace, Prefilled } from './types.ts';

/** Values by RFC 6901 pointer into the payload, such as `/data/filerKind`. */
export type FieldValues = Readonly<Record<string, unknown>>;

const NAMED = 5;

/**
 * The payload of a zero filing (零申报), as the gateway begins it and with the fields that are given. Throws a
 * {@link ShenbaoError} with code `no-zero-filing` when the type has none, or when there is something to say of the period that
 * is not given; and with `filing-conflict` when something else stands for it.
 */
export async function zeroPayload(
  prefilled: Prefilled,
  fields: FieldValues,
  language: Language,
  standing: (id: string) => Promise<Pick<Filing, 'digest'>>,
): Promise<FilingPayload> {
  const { payload, zero } = prefilled;
  const open = zero.because.filter(({ pointer }) => !Object.keys(fields).some((given) => covers(given, pointer)));
  if (!zero.allowed && (open.length > 0 || zero.because.length === 0))
    throw new ShenbaoError('no-zero-filing', noZeroText(open)[language]);
  const filled = withFields(payload, fields);
  if (prefilled.standing === undefined) return filled;
  const { id } = prefilled.standing;
  // The same zero filing once more: its answer may have been lost, and is answered with the original receipt.
  if ((await standing(id)).digest === payloadDigest(payloadBytes(filled))) return filled;
  throw new ShenbaoError('filing-conflict', standsText(id)[language], { status: 409 });
}

/** A field that is given speaks for itself and for what lies in it. */
function covers(given: string, pointer: string): boolean {
  return pointer === given || pointer.startsWith(`${given}/`);
}

function noZeroText(open: readonly FillPlace[]): Text {
  if (open.length === 0) {
    return {
      zh: '该类申报（或该种所属期）没有零申报',
      en: 'this type has no zero filing, or none for this kind of period',
    };
  }
  const more =
    open.length > NAMED ? { zh: `等${open.length}项`, en: ` and ${open.length - NAMED} more` } : { zh: '', en: '' };
  const names = (language: Language, comma: string): string =>
    open
      .slice(0, NAMED)
      .map(({ title, pointer }) => `${title[language]} (${pointer})`)
      .join(comma);
  return {
    zh: `不能零申报，本期有需要填报的内容：${names('zh', '，')}${more.zh}。请取预填内容，补充后提交`,
    en: `no zero filing, since there is something to say of ${names('en', ', ')}${more.en}; fill in the prefilled payload and submit it`,
  };
}

function standsText(id: string): Text {
  return {
    zh: `本期已有申报 ${id}；如需更改请更正`,
    en: `${id} stands for this period already; to change it, file a correction`,
  };
}

function withFields(payload: FilingPayload, fields: FieldValues): FilingPayload {
  const filled = structuredClone(payload);
  for (const [pointer, value] of Object.entries(fields)) {
    const names = pointer.split('/').slice(1).map(unescapeName);
    const last = names.pop();
    if (names[0] !== 'data' || last === undefined || last === '__proto__' || names.includes('__proto__'))
      throw new ShenbaoError('usage', `${pointer}: a field is a pointer below /data`);
    let at = filled as unknown as Record<string, unknown>;
    for (const name of names) {
      // Elements of a list are members by their indexes.
      if (typeof at[name] !== 'object' || at[name] === null) at[name] = {};
      at = at[name] as Record<string, unknown>;
    }
    at[last] = value;
  }
  return filled;
}

function unescapeName(name: string): string {
  return name.replaceAll('~1', '/').replaceAll('~0', '~');
}
