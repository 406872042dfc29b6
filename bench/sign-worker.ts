import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type CorpusOptions, enterprise, vatReturn } from './corpus.ts';
import { filerSigner, signPayload } from './keys.ts';

/** A run of filers and the months of theirs to sign; one file a month. */
export interface SignTask {
  readonly files: readonly { readonly file: string; readonly back: number }[];
  readonly fromFiler: number;
  readonly toFiler: number;
}

export interface SignSetup {
  readonly options: CorpusOptions;
  readonly issuer: string;
}

const { options, issuer } = JSON.parse(process.argv[2] ?? '') as SignSetup;

function signTask({ files, fromFiler, toFiler }: SignTask): void {
  const filers = Array.from({ length: toFiler - fromFiler }, (_, i) => {
    const index = fromFiler + i;
    const { uscc, key } = enterprise(options, index);
    return { index, uscc, signer: filerSigner(key, issuer) };
  });
  for (const { file, back } of files) {
    const lines = filers.map(({ index, uscc, signer }) =>
      signPayload(signer, JSON.stringify(vatReturn(options, uscc, index, back))),
    );
    mkdirSync(path.dirname(file), { recursive: true });
    // Whole or not at all: a run may be interrupted here.
    writeFileSync(`${file}.part`, `${lines.join('\n')}\n`);
    renameSync(`${file}.part`, file);
    process.send?.(lines.length);
  }
}

process.on('message', (task: SignTask) => {
  signTask(task);
  process.send?.('idle');
});

// The parent was broken off: what it waited for is of no use.
process.on('error', () => process.exit(1));
