import { type AnnounceContext, announced } from '../identity/announce.ts';
import { conflict, type Outcome } from '../identity/change.ts';
import { subjectOf } from '../identity/subjects.ts';
import { canonicalJson, type Json } from '../std/canonical.ts';
import type { TransactionSql } from '../storage/db.ts';
import { countSettings, deleteSetting, type SettingRow, selectSetting, upsertSetting } from '../storage/settings.ts';
import { KINDS, type SettingKind } from './kinds.ts';
import type { DatabaseSettings } from './settings.ts';

/** What the verbs that set something work with. */
export interface PutSettingContext extends AnnounceContext {
  readonly settings: Pick<DatabaseSettings, 'settled'>;
}

interface Name {
  readonly kind: SettingKind;
  readonly id: string;
}

/**
 * Sets a value that has been checked. Setting what is set already changes nothing, its time included. In force in this process
 * when it resolves, in the others within 5 s.
 */
export async function putSetting(ctx: PutSettingContext, name: Name, value: object): Promise<Outcome<SettingRow>> {
  const outcome = await announced(ctx, async (tx, at) => {
    const before = await selectSetting(tx, name);
    if (before === undefined) await refuseBeyondMax(tx, name.kind);
    else if (isSame(before.value, value)) return { result: { created: false, resource: before }, subjects: [] };
    const row = { ...name, value, setAt: at };
    await upsertSetting(tx, row);
    return {
      result: { created: before === undefined, resource: row },
      subjects: [subjectOf.setting(name.kind, name.id)],
    };
  });
  await ctx.settings.settled();
  return outcome;
}

/** Takes back what was set, if it was. In force like {@link putSetting}. */
export async function takeBackSetting(ctx: PutSettingContext, name: Name): Promise<void> {
  await announced(ctx, async (tx) => {
    const wasThere = await deleteSetting(tx, name);
    return { result: undefined, subjects: wasThere ? [subjectOf.setting(name.kind, name.id)] : [] };
  });
  await ctx.settings.settled();
}

/** Every process keeps all of them in memory. Changes go one by one, so that the count cannot be outrun. */
async function refuseBeyondMax(tx: TransactionSql, kind: SettingKind): Promise<void> {
  const { max } = KINDS[kind];
  if ((await countSettings(tx, kind)) >= max)
    throw conflict(
      `最多可设置${max}项，请先删除不再需要的。`,
      `No more than ${max} of these can be set: delete what is no longer needed first.`,
    );
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson(a as Json) === canonicalJson(b as Json);
}
