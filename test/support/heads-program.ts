// A process that records heads of a log without end, for tests that kill it. Arguments: the file, the office. Prints each
// size once its head is on disk.
import { HeadsFile } from '../../src/log/heads-file.ts';
import { sha256 } from '../../src/std/bytes.ts';

const [file = '', office = ''] = process.argv.slice(2);
const heads = new HeadsFile(file);
for (let size = 1; ; size++) {
  await heads.record(office, { size, root: sha256(`${office} ${size}`), signedAt: Date.now() });
  process.stdout.write(`${size}\n`);
}
