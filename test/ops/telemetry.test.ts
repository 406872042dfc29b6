import { expect, test } from 'vitest';
import { createTelemetry, describeError } from '../../src/ops/telemetry.ts';

test('an error is told by its name, its codes and its place, never by its message', () => {
  const cause = Object.assign(new Error('Key (name)=(Zhang San) already exists'), {
    name: 'PostgresError',
    code: '23505',
  });
  const error = new Error('insert into party values (Zhang San)', { cause });
  const text = JSON.stringify(describeError(error));
  expect(text).not.toContain('Zhang San');
  expect(JSON.parse(text)).toMatchObject({ name: 'Error', cause: { name: 'PostgresError', code: '23505' } });
  expect(text).toContain('telemetry.test.ts');
});

test('counters, durations and gauges are shown in the text form of Prometheus', async () => {
  const { metrics, exposition, contentType } = createTelemetry();
  metrics.count('filings_stored');
  metrics.count('filings_stored', {}, 4);
  metrics.count('refusals', { code: 'malformed' });
  metrics.count('refusals', { code: 'malformed' });
  metrics.observe('commit', 0.003);
  let waiting = 7;
  metrics.gauge('pool_waiting', () => waiting);
  waiting = 9;
  const lines = (await exposition()).split('\n');
  expect(lines).toContain('shenbao_filings_stored_total 5');
  expect(lines).toContain('shenbao_refusals_total{code="malformed"} 2');
  expect(lines).toContain('shenbao_commit_seconds_bucket{le="0.0025"} 0');
  expect(lines).toContain('shenbao_commit_seconds_bucket{le="0.005"} 1');
  expect(lines).toContain('shenbao_pool_waiting 9');
  expect(contentType).toContain('text/plain');
});
