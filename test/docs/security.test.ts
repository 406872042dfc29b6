import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('every test and page that the threat model names is there', () => {
  const page = readFileSync(`${root}/docs/security.md`, 'utf8');
  const tests = [...page.matchAll(/`(test\/[^`]+)`/g)].map((match) => match[1]);
  const pages = [...page.matchAll(/\]\(([^)#:]+\.md)\)/g)].map((match) => `docs/${match[1]}`);
  expect(tests.length).toBeGreaterThan(20);
  expect([...tests, ...pages].filter((file) => !existsSync(`${root}/${file}`))).toEqual([]);
});
