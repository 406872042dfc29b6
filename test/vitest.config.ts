import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // A condition is waited for, however busy the machine; what never comes fails all the same.
    expect: { poll: { timeout: 20_000 } },
    // Two cores, one PostgreSQL: more files at once only wait for one another.
    maxWorkers: 2,
  },
});
