import jsQrModule from 'jsqr';
import { describe, expect, test } from 'vitest';
import type { Delivery } from '../../src/ingest/delivery.ts';
import type { FollowedFiling } from '../../src/ingest/read.ts';
import { qrCode } from '../../src/portal/qr-code.ts';
import { type ReceiptPageFacts, receiptPage } from '../../src/portal/receipt-page.ts';

/** CommonJS: its types put the function under `default` where Node's interop has it at the top. */
const jsQr = ('default' in jsQrModule ? jsQrModule.default : jsQrModule) as unknown as typeof import('jsqr').default;

const NASTY = `<script>alert(1)</script>&"'><img src=x onerror=alert(2)>\u202e`;
const DIGEST = 'VY4zPkTqT0pcxjDMpVn3p1b7oDBeStj4YqBRgAWfcCo';
const LEAF = '93Tk1vPykVNbCKXcqkO8bZLPpiEcZqVgOK9vC5oEC3o';

function filing(changes: Partial<FollowedFiling> = {}): FollowedFiling {
  const facts = {
    id: '13501000000.42',
    type: 'tax.vat.general',
    version: '2026-02',
    filer: '91350100M000100Y43',
    office: '13501000000',
    index: 42,
    period: { from: '2026-10-01', to: '2026-10-31' },
    reference: 'R-1',
    kind: 'original' as const,
    digest: DIGEST,
    receivedAt: '2026-11-22T16:00:01.250Z',
  };
  const statement = { ...facts, iss: 'https://gateway.example', env: 'production', leaf: LEAF };
  return {
    ...facts,
    status: 'accepted',
    late: false,
    warnings: [],
    receipt: { statement, salt: 's', path: [], leafIndex: 0, treeSize: 1, signature: 'a.b.c' },
    compared: true,
    history: [{ status: 'accepted', at: facts.receivedAt }],
    ...changes,
  };
}

const names = {
  filerName: '福州示范有限公司',
  officeName: { zh: '福州市税务局', en: 'Fuzhou Tax Bureau' },
  typeTitle: { zh: '增值税申报表', en: 'VAT return' },
  cosigner: undefined,
  proof: undefined,
};

const pageOf = (facts: Partial<ReceiptPageFacts> = {}): string =>
  receiptPage({ ...names, filing: filing(), language: 'zh', ...facts });

const delivered: Delivery = { at: '2026-11-23T01:02:03.000Z', size: 50 };
const LINE = '— gateway.example/offices/13501000000/cosigner AAAABBBB';
const cosigned: Delivery = {
  ...delivered,
  cosignature: {
    kid: 'thumbprint-of-the-key',
    at: '2026-11-23T01:02:04.000Z',
    size: 48,
    checkpoint: `gateway.example/offices/13501000000\n48\nAAAA\n\n— gateway.example/offices/13501000000 CCCC\n${LINE}\n`,
  },
};

/** What a scanner reads off the picture, drawn with `scale` dots a module. */
function scanned(svg: string, scale = 4): string | undefined {
  const size = Number(/viewBox="0 0 (\d+) \1"/.exec(svg)?.[1]);
  const side = size * scale;
  const dots = new Uint8ClampedArray(side * side * 4).fill(255);
  const dark = svg.split('<path').at(-1) ?? '';
  for (const [, x, y, width] of dark.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    for (let row = Number(y) * scale; row < (Number(y) + 1) * scale; row++)
      for (let column = Number(x) * scale; column < (Number(x) + Number(width)) * scale; column++)
        dots.fill(0, (row * side + column) * 4, (row * side + column) * 4 + 3);
  }
  return jsQr(dots, side, side)?.data;
}

const svgIn = (page: string): string => /<svg[\s\S]*?<\/svg>/.exec(page)?.[0] ?? '';

/** The text of an element, as a browser would show it. */
function textOf(page: string, id: string): string {
  const text = new RegExp(`<pre id="${id}">([\\s\\S]*?)</pre>`).exec(page)?.[1] ?? '';
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

describe('the QR code', () => {
  test('holds the receipt’s address and what it must state', () => {
    const link = new URL(scanned(svgIn(pageOf())) ?? '');
    expect(`${link.origin}${link.pathname}`).toBe('https://gateway.example/v1/filings/13501000000.42/receipt');
    expect(Object.fromEntries(new URLSearchParams(link.hash.slice(1)))).toEqual({
      id: '13501000000.42',
      digest: DIGEST,
      leaf: LEAF,
      receivedAt: '2026-11-22T16:00:01.250Z',
    });
  });

  test.each([1, 20, 100, 400])('of %i characters is read by another reader', (length) => {
    const text = `https://gateway.example/${'Ab3-_'.repeat(80)}`.slice(0, length);
    expect(scanned(String(qrCode(text, 'x')))).toBe(text);
  });
});

describe('the page', () => {
  test.each([
    ['zh', undefined, '机关尚未确认收到'],
    ['en', undefined, 'The office has not acknowledged it yet.'],
    ['zh', delivered, '已送达</span> 机关于 2026-11-23 09:02:03（北京时间）'],
    ['en', delivered, 'Delivered</span> On 2026-11-23 09:02:03 (Beijing time)'],
    ['zh', cosigned, '已送达，机关已会签</span>'],
    ['en', cosigned, 'Delivered, cosigned by the office</span>'],
  ] as const)('says in %s whether the office has it', (language, delivery, words) => {
    const page = pageOf({ language, filing: filing(delivery === undefined ? {} : { delivery }) });
    expect(page).toContain(words);
    expect(page.includes(LINE)).toBe(delivery === cosigned);
    expect(page.includes('thumbprint-of-the-key')).toBe(delivery === cosigned);
    expect(page).not.toMatch(/undefined|\[object|NaN/);
  });

  test('holds the receipt and the proof byte for byte, to look at and to save', () => {
    const receipt = JSON.stringify(filing().receipt);
    const proof = 'c2sp.org/tlog-proof@v1\nindex 42\n\n<&">\n';
    const page = pageOf({ filing: filing({ delivery: cosigned }), proof, cosigner: Buffer.alloc(32, 1) });
    const jwk = `{"kty":"OKP","crv":"Ed25519","x":"${'AQEB'.repeat(10)}AQE","kid":"thumbprint-of-the-key","alg":"EdDSA"}`;
    expect([textOf(page, 'receipt'), textOf(page, 'proof')]).toEqual([receipt, proof]);
    const saved = [...page.matchAll(/href="data:([a-z/]+);base64,([^"]+)" download="([^"]+)"/g)];
    expect(saved.map(([, type, bytes, name]) => [type, Buffer.from(bytes ?? '', 'base64').toString(), name])).toEqual([
      ['application/json', receipt, 'receipt-13501000000.42.json'],
      ['text/plain', proof, 'proof-13501000000.42.txt'],
      ['application/json', jwk, 'office-key.json'],
    ]);
    expect(pageOf()).not.toContain('id="proof"');
  });

  test.each(['zh', 'en'] as const)('escapes whatever it is given, in %s', (language) => {
    const nasty = filing({
      type: NASTY,
      version: NASTY,
      reference: NASTY,
      supersedes: NASTY,
      status: NASTY as 'accepted',
      kind: NASTY as 'original',
      history: [{ status: NASTY, at: NASTY, by: NASTY }],
      delivery: {
        ...cosigned,
        cosignature: { ...cosigned.cosignature, kid: NASTY, checkpoint: `${NASTY}\n` },
      } as Delivery,
    });
    const page = pageOf({
      filing: nasty,
      language,
      filerName: NASTY,
      officeName: { zh: NASTY, en: NASTY },
      typeTitle: { zh: NASTY, en: NASTY },
      proof: `${NASTY}\n</pre><script>`,
    });
    expect(page).not.toMatch(/<script|<img/);
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/g)].map(([, name]) => name));
    const own =
      'html head meta title style body main header h1 span div dl dt dd strong code bdi figure svg path figcaption';
    expect([...tags].sort()).toEqual(
      [...own.split(' '), ...'section h2 p ol li details summary a pre'.split(' ')].sort(),
    );
    expect(page.match(/&lt;script&gt;/g)?.length).toBeGreaterThan(8);
  });

  test('needs nothing from anywhere: no script, no picture, no stylesheet, no style of an element', () => {
    const page = pageOf({ filing: filing({ delivery: cosigned }), proof: 'x' });
    expect(page).not.toMatch(/<script|<link|<img|<iframe| src=| style=| on[a-z]+=|@import|url\(/);
    expect([...page.matchAll(/href="([^"]{5})/g)].map(([, start]) => start)).toEqual(['data:', 'data:']);
  });

  test('says which gateways are for tests', () => {
    const sandbox = filing();
    const { receipt } = sandbox;
    const filingOfSandbox = {
      ...sandbox,
      receipt: { ...receipt, statement: { ...receipt.statement, env: 'sandbox' } },
    };
    expect(pageOf({ filing: filingOfSandbox })).toContain('沙箱：无法律效力');
    expect(pageOf()).not.toContain('沙箱');
  });

  test('says what became of the filing', () => {
    const by = '13501000000.60';
    const history = [
      { status: 'accepted', at: '2026-11-22T16:00:01.250Z' },
      { status: 'superseded', at: '2026-11-23T16:00:01.250Z', by },
    ];
    const page = pageOf({ filing: filing({ status: 'superseded', history }), language: 'en' });
    expect(page).toContain(`replaced by a correction (${by})`);
  });
});
