import { table } from '../src/cli/text.ts';
import { buildCatalogue } from '../src/domain/catalogue.ts';
import { readSchemaFiles } from '../src/ops/schemas.ts';
import { UsageError } from './command.ts';
import { commitName } from './commit-name.ts';
import { type Bars, type BenchResult, type Figure, machineNow, REFERENCE_VERIFY_US } from './figure.ts';
import { FULL_RETURN, validateCases, WITHHELD } from './validate/cases.ts';
import {
  type Cost,
  type Measured,
  type MeasureOptions,
  measure,
  type Spread,
  type Weighed,
} from './validate/measure.ts';

export interface ValidateOptions extends MeasureOptions {
  /** Persons of the long lists. */
  readonly lines: number;
  /** Of one type alone. */
  readonly only?: string | undefined;
}

export interface ValidateResult extends Measured, BenchResult {
  readonly bench: 'validate';
  readonly options: ValidateOptions;
}

/** CPU that the validation of a filing's content costs, for every type and version. Needs no gateway and no database. */
export async function benchValidate(
  options: ValidateOptions,
  onProgress: (text: string, share?: number) => void,
): Promise<ValidateResult> {
  const machine = machineNow();
  onProgress('reading the filing types');
  const files = await readSchemaFiles();
  const { catalogue, problems } = buildCatalogue(files, { alreadyChecked: true });
  if (catalogue === undefined) throw new Error(`the filing types do not load: ${JSON.stringify(problems)}`);
  const { only } = options;
  const cases = validateCases(catalogue, files, options).filter(({ type }) => only === undefined || type === only);
  if (cases.length === 0) throw new UsageError(`there is no type ${only}`);
  onProgress('warming up');
  const measured = measure(cases, options, (share) => onProgress('weighing', share));
  return {
    bench: 'validate',
    commit: commitName(),
    at: new Date().toISOString(),
    machine,
    options,
    figures: figuresOf(measured.cases, options),
    bars: [barsOf(measured.cases)],
    ...measured,
  };
}

/** From the goals of the project, for a machine on which an ES256 verification takes 67 µs. */
const GOALS = [
  { name: 'a full VAT return, all rules', filing: FULL_RETURN, linesOfGoal: 1, goalUs: 25, unit: 'µs' },
  { name: '10,000 lines of income tax', filing: WITHHELD, linesOfGoal: 10_000, goalUs: 100_000, unit: 'ms' },
] as const;

export function validateReport(result: ValidateResult): string[] {
  const { machine, verifyUs } = result;
  const rows = result.cases.map(({ type, version, filing, bytes, costs }) => [
    type,
    version,
    filing,
    right(String(bytes), 8),
    ...costCells(costs.parse),
    ...costCells(costs.check),
    ...costCells(costs.compare),
  ]);
  const names = ['type', 'version', 'filing', right('bytes', 8)];
  const columns = ['parse', 'check', 'compare'].flatMap((step) => [
    right(`${step} µs`, 10),
    'spread',
    right('scaled', 9),
  ]);
  return [
    ...table([[...names, ...columns], ...rows]).map((line) => line.trimEnd()),
    '',
    'parse: strict JSON and envelope; check: schema and rules; compare: rules on other filings. CPU of one run, median of',
    `${result.roundsDone} alternating rounds. Scaled: where crypto.verify takes ${REFERENCE_VERIFY_US} µs, which the goals are written for.`,
    '',
    ...table(GOALS.flatMap((goal) => goalRow(goal, result))),
    '',
    ...table([
      ['machine', `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}`],
      ['crypto.verify', `${figure(verifyUs.median)} µs, ${spreadText(verifyUs)} (ES256, one thread, once a round)`],
      ['commit', result.commit],
    ]),
  ];
}

/** What a goal is for; a goal for 10,000 lines is not met by fewer. */
function costOfGoal(goal: (typeof GOALS)[number], cases: readonly Weighed[], { lines }: ValidateOptions) {
  return lines < goal.linesOfGoal ? undefined : cases.find(({ filing }) => filing.endsWith(goal.filing))?.costs.check;
}

function goalRow(goal: (typeof GOALS)[number], { cases, options }: ValidateResult) {
  const { name, goalUs } = goal;
  const cost = costOfGoal(goal, cases, options);
  if (cost === undefined) return [];
  const verdict = cost.scaled <= goalUs ? 'met' : 'missed';
  const scaled = `${figure(cost.scaled)} µs scaled, ${figure(cost.scaledLeast)} in the best round`;
  return [[name, `${figure(cost.median)} µs here`, scaled, `goal ${goalUs} µs: ${verdict}`]];
}

function figuresOf(cases: readonly Weighed[], options: ValidateOptions): Figure[] {
  return GOALS.flatMap((goal) => {
    const cost = costOfGoal(goal, cases, options);
    if (cost === undefined) return [];
    const [unit, of] = [goal.unit, goal.unit === 'ms' ? 1_000 : 1];
    return [
      {
        name: `CPU of checking ${goal.name}`,
        value: cost.median / of,
        unit,
        better: 'less',
        goal: goal.goalUs / of,
        scaled: cost.scaled / of,
        spread: [cost.least / of, cost.most / of],
      },
    ];
  });
}

/** Every type with its first example, and the full VAT returns; long lists would hide them. */
function barsOf(cases: readonly Weighed[]): Bars {
  const short = cases.filter(({ costs }) => (costs.check?.median ?? 0) + (costs.parse?.median ?? 0) < 1_000);
  return {
    title: 'CPU of checking one filing, by step',
    unit: 'µs',
    bars: short.map(({ type, version, filing, costs }) => ({
      name: `${type} ${version}${filing === 'first example' ? '' : `, ${filing}`}`,
      parts: (['parse', 'check', 'compare'] as const).flatMap((name) => {
        const cost = costs[name];
        return cost === undefined ? [] : [{ name, value: cost.median }];
      }),
    })),
  };
}

function costCells(cost: Cost | undefined): string[] {
  if (cost === undefined) return ['', '', ''];
  return [right(figure(cost.median), 10), spreadText(cost), right(figure(cost.scaled), 9)];
}

function spreadText({ least, most }: Spread): string {
  return `${figure(least)}-${figure(most)}`;
}

function figure(us: number): string {
  return us < 100 ? us.toFixed(1) : us.toFixed(0);
}

function right(text: string, width: number): string {
  return text.padStart(width);
}
