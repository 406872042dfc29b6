import { type BenchCommand, wholeNumber } from './command.ts';
import { benchValidate, validateReport } from './validate.ts';

export const validate: BenchCommand = {
  usage: `npm run bench -- validate [options]

Weighs what checking the content of a filing costs in CPU: parsing, schema and rules, rules on other filings; for each
version of each type, for full VAT returns, and for lists of 10,000 persons. Starts nothing, needs no build.

  --rounds N           rounds over all types (9)
  --seconds N          after which no further round begins (50)
  --lines N            persons of the long lists (10000)
  --only TYPE          one type alone
`,
  options: {
    rounds: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '50' },
    lines: { type: 'string', default: '10000' },
    only: { type: 'string' },
  },
  async run(values, onProgress) {
    const whole = (name: string): number => wholeNumber(values, name);
    const options = {
      rounds: whole('rounds'),
      seconds: whole('seconds'),
      lines: whole('lines'),
      only: values.only as string | undefined,
    };
    const result = await benchValidate(options, onProgress);
    return { result, lines: validateReport(result), faults: [] };
  },
};
