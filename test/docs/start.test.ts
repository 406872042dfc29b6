import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

it('operators are told to start the gateway as npm start does', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: { readonly start: string } };
  const command = scripts.start.replace('exec ', '');
  expect(command).toMatch(/^node (--[\w-]+(=\d+)? )+dist\/main\.js$/);
  expect(read('docs/operating.md')).toContain(`\`${command}\``);
});
