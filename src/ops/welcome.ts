import path from 'node:path';
import type { Config } from './config.ts';

/** What the person who started the gateway needs next: where it is, where the keys are, how to file something. */
export function welcome(config: Pick<Config, 'issuer' | 'dataDir' | 'env'>, folder: string = process.cwd()): string {
  const near = (file: string): string => path.relative(folder, path.join(config.dataDir, file)) || '.';
  const rows: [string, string][] = [
    [config.issuer, '首页 · start page'],
    [`${config.issuer}/docs`, '接口文档 · API documentation'],
    [near('operator.jwk'), '操作员私钥 · operator key'],
  ];
  if (config.env === 'sandbox') rows.push([near('demo/'), '演示用私钥 · demo keys']);
  const width = Math.max(...rows.map(([what]) => what.length)) + 3;
  const lines = [
    '',
    '申报网关已就绪 · Shenbao is ready',
    ...rows.map(([what, meaning]) => `  ${what.padEnd(width)}${meaning}`),
  ];
  if (config.env === 'sandbox') {
    lines.push(
      '',
      '第一份申报 · a first filing:',
      `  npx shenbao submit ${FIRST_FILING} --key ${near('demo/filer.jwk')} --gateway ${config.issuer}`,
    );
  } else {
    lines.push(
      '',
      '登记机关与企业 · register offices and parties:',
      `  npx shenbao import parties.ndjson --key ${near('operator.jwk')} --gateway ${config.issuer}`,
    );
  }
  return `${lines.join('\n')}\n\n`;
}

/** A valid VAT return of the demo filer. */
const FIRST_FILING = 'schemas/tax/vat-general/2026-02/examples/valid-compact.json';
