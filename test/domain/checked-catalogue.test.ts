import { expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';
import { wholeExample } from '../support/examples.ts';

test('types that were checked before give the same verdicts, compiled when they are needed', async () => {
  const files = await readSchemaFiles();
  const checked = buildCatalogue(files).catalogue;
  const trusted = buildCatalogue(files, { alreadyChecked: true }).catalogue;
  if (checked === undefined || trusted === undefined) throw new Error('the shipped types are sound');
  expect([...trusted.types.keys()]).toEqual([...checked.types.keys()]);
  let compared = 0;
  for (const [path, text] of files) {
    if (!path.includes('/examples/')) continue;
    const { filing, others = {} } = wholeExample(text);
    const verdict = (catalogue: typeof checked) => {
      const version = catalogue.types.get(filing.type)?.resolve(filing.version, filing.period);
      if (version === undefined) throw new Error(`${path} is of a version that is there`);
      return [version.check(filing), version.compare(filing, new Map(Object.entries(others)))];
    };
    expect(verdict(trusted)).toEqual(verdict(checked));
    compared++;
  }
  expect(compared).toBeGreaterThan(100);
  for (const [name, type] of checked.types) {
    for (const [version, { example }] of type.versions)
      expect(trusted.types.get(name)?.versions.get(version)?.example).toEqual(example);
  }
});
