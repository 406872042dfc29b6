import type { Sql } from 'postgres';

/** In a child process: does each run that its parent sends, answers with the outcome, and ends with its parent. */
export function serveRuns<Run, Outcome>(
  sql: Sql,
  database: { stop(): Promise<void> },
  perform: (run: Run) => Promise<Outcome>,
): void {
  process.on('message', (run: Run) => {
    void perform(run).then(
      (outcome) => process.send?.(outcome),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => {
    void sql
      .end({ timeout: 5 })
      .then(() => database.stop())
      .finally(() => process.exit(0));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  process.send?.('ready');
}
