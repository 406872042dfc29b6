import { describe, expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import { isUrgent } from '../../src/domain/urgent.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';

const files = await readSchemaFiles();

function payloadWith(data: unknown): FilingPayload {
  const day = { from: '2026-10-20', to: '2026-10-20' };
  const kind = data === undefined ? 'void' : 'original';
  return { type: 'emg.incident', filer: '91350100M000100Y43', period: day, reference: 'YJ-1', kind, data };
}

describe('a filing is urgent', () => {
  test.each([
    ['when its content says so', 'urgent', { urgent: true }, true],
    ['however deep that is', 'state.urgent', { state: { urgent: true } }, true],
    ['not when it says no', 'urgent', { urgent: false }, false],
    ['not when it says nothing', 'urgent', {}, false],
    ['not when what contains it is absent', 'state.urgent', { urgent: true }, false],
    ['not by a text', 'urgent', { urgent: 'true' }, false],
    ['not when it is a voiding', 'urgent', undefined, false],
    ['not when its type knows no such thing', undefined, { urgent: true }, false],
  ])('%s', (_, path, data, expected) => {
    expect(isUrgent(path === undefined ? {} : { urgent: path }, payloadWith(data))).toBe(expected);
  });

  test('by the types that ship: emergencies, and matters of the city', () => {
    const { catalogue } = buildCatalogue(files);
    const types = [...(catalogue?.types.values() ?? [])].filter(({ metadata }) => metadata.urgent !== undefined);
    expect(types.map(({ metadata }) => metadata.type).sort()).toEqual(['city.event', 'emg.incident']);
  });
});

test.each(['urgnet', 'casualties', 'casualties.deaths', 'category', 'persons.name', 'urgent.urgent'])(
  'a type whose path %s is no boolean of its form does not load',
  (path) => {
    const file = 'emg/incident/type.json';
    const changed = new Map([...files].filter(([name]) => name.startsWith('emg/incident/')));
    const text = (changed.get(file) ?? '').replace('"urgent": "urgent"', `"urgent": "${path}"`);
    const line = text.split('\n').findIndex((found) => found.includes(`"${path}"`)) + 1;
    const { problems } = buildCatalogue(changed.set(file, text));
    expect(problems).toEqual([
      { file, line, message: expect.objectContaining({ en: expect.stringContaining(`${path} is no true or false`) }) },
    ]);
  },
);
