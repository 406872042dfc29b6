import type { Agency } from '../domain/filing.ts';
import type { DeadlineRule, FilingTypeMetadata, FilingTypeVersionMetadata, PeriodKind } from '../domain/filing-type.ts';
import type { Language, Text } from '../std/text.ts';
import { t } from './page.ts';

export const AGENCIES: Readonly<Record<Agency, Text>> = {
  tax: t('税务', 'Taxation'),
  si: t('人社、医保', 'Social insurance'),
  amr: t('市场监管', 'Market regulation'),
  psb: t('公安', 'Public security'),
  city: t('城市管理', 'City management'),
  emg: t('应急管理', 'Emergency management'),
};

const PERIODS: Readonly<Record<PeriodKind, Text>> = {
  month: t('月', 'month'),
  quarter: t('季', 'quarter'),
  'half-year': t('半年', 'half-year'),
  year: t('年', 'year'),
  day: t('日', 'day'),
  event: t('按次', 'each event'),
};

export function periodWords(type: FilingTypeMetadata, language: Language): string {
  return type.periods.map((kind) => PERIODS[kind][language]).join(language === 'zh' ? '、' : ', ');
}

/** When a filing is due, as the type says it; regions and extensions may say otherwise. */
export function deadlineWords({ deadline, deadlines = {} }: FilingTypeMetadata, language: Language): string {
  const others = Object.entries(deadlines).map(([kind, rule]) => {
    const { zh, en } = deadlineText(rule);
    const period = PERIODS[kind as PeriodKind];
    return t(`；按${period.zh}申报：${zh}`, `; for a ${period.en}: ${en}`)[language];
  });
  return [deadlineText(deadline)[language], ...others].join('');
}

function deadlineText(rule: DeadlineRule): Text {
  if (rule.rule === 'none') return t('没有期限', 'none');
  if (rule.rule === 'tax-month')
    return t(
      '期满后次月15日，遇连续三日以上节假日按工作日顺延',
      'the 15th of the month after the period, later by the working days that holidays of three days or more take',
    );
  if (rule.rule === 'after-period') {
    const rolled = rule.roll === true ? t('，遇休息日顺延', ', or the next working day') : t('', '');
    return t(
      `期满后第 ${rule.months} 个月的 ${rule.day} 日${rolled.zh}`,
      `day ${rule.day} of month ${rule.months} after the period${rolled.en}`,
    );
  }
  const { hours, days, workingDays } = rule;
  if (hours !== undefined) return t(`事件发生后 ${hours} 小时内`, `within ${hours} hours of the event`);
  if (days !== undefined) return t(`事件发生后 ${days} 日内`, `within ${days} days of the event`);
  return t(`事件发生后 ${workingDays} 个工作日内`, `within ${workingDays} working days of the event`);
}

/** What may follow an original. */
export function kindWords({ kinds }: FilingTypeMetadata, language: Language): string {
  const allowed = [
    kinds.correction ? t('更正', 'correction') : undefined,
    kinds.supplement === undefined ? undefined : t('补充', 'supplement'),
    kinds.void ? t('作废', 'voiding') : undefined,
  ].flatMap((word) => word?.[language] ?? []);
  if (allowed.length === 0) return t('不能更正或作废', 'nothing: a filing stands as it is')[language];
  return allowed.join(language === 'zh' ? '、' : ', ');
}

export function inForce({ from, to }: FilingTypeVersionMetadata, language: Language): string {
  if (to === undefined) return t(`${from} 起`, `from ${from}`)[language];
  return t(`${from} 至 ${to}`, `${from} to ${to}`)[language];
}

export const STATUS: Readonly<Record<FilingTypeMetadata['status'], Text>> = {
  modelled: t(
    '按公开资料建模，尚未与公告逐项核对',
    'modelled from public descriptions; not yet compared with the notice',
  ),
  official: t('已与公告核对', 'compared with the notice'),
};
