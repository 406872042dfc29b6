import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { register } from '../support/parties.ts';
import { ATTACKS, DOORS, type Door, type Scene } from './hostile-doors.ts';

// Every kind of hostile JWS at every place that takes one.

let gateway: Gateway;
let scene: Scene;
let lure: Server;
let visitors = 0;

beforeAll(async () => {
  gateway = await startGateway({ env: { RATE_FILER: '100000' } });
  lure = createServer((socket) => {
    visitors++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => lure.listen(0, '127.0.0.1', resolve));
  scene = {
    issuer: gateway.issuer,
    filer: await register(gateway),
    other: await register(gateway),
    agentId: (await register(gateway, { kind: 'agent' })).id,
    lure: `http://127.0.0.1:${(lure.address() as AddressInfo).port}`,
    send: (method, target, type, body, isOperator = false) =>
      gateway.ask(method, target, {
        headers: { 'Content-Type': type },
        body,
        ...(isOperator ? { as: 'operator' as const } : {}),
      }),
  };
});
afterAll(async () => {
  lure?.close();
  await gateway?.remove();
});

/** A proof inside a good request is one of its members: what is wrong with it is 422. */
const REFUSALS = [400, 401, 422];

async function refusalAt(door: Door, make: (signer: Scene['filer']) => string): Promise<string | undefined> {
  const signer = door.signer?.(scene) ?? scene.filer;
  const { status, text } = await door.knock(scene, make(signer), signer);
  if (!REFUSALS.includes(status)) return `${status} ${text.slice(0, 200)}`;
  if (status === 422 && door.signer === undefined) return `422, where the signature comes before the content`;
  return /etc\/passwd|elsewhere\.example|OR ''/.test(text) ? 'repeats what was sent' : undefined;
}

describe.each(DOORS)('at the door of: $name', (door) => {
  const at = () => ({ ...door.draft(scene) });

  test('what is right passes', async () => {
    const signer = door.signer?.(scene) ?? scene.filer;
    const { header, payload } = at();
    const { status, text } = await door.knock(scene, signer.jws(payload, header), signer);
    expect([200, 201], text).toContain(status);
  });

  test.each(Object.entries(ATTACKS))('%s does not', async (_, attack) => {
    expect(await refusalAt(door, (signer) => attack(scene, signer, at()))).toBeUndefined();
  });

  test('what is meant for another gateway does not', async () => {
    const elsewhere = () => door.elsewhere(at());
    expect(await refusalAt(door, (signer) => signer.jws(elsewhere().payload, elsewhere().header))).toBeUndefined();
  });
});

test('what was signed for one purpose opens no other door', async () => {
  const purposes = ['filing', 'mandate', 'rotation', 'assertion for a token'];
  const doors = DOORS.filter(({ name }) => purposes.includes(name));
  const wrong: string[] = [];
  for (const from of doors)
    for (const to of doors.filter((door) => door !== from)) {
      const { header, payload } = from.draft(scene);
      const { status } = await to.knock(scene, scene.filer.jws(payload, header), scene.filer);
      // A filing is no rotation: 422 says that its members are not those of one.
      if (![400, 401, 422].includes(status)) wrong.push(`${from.name} at ${to.name}: ${status}`);
    }
  expect(wrong).toEqual([]);
});

test('an assertion whose signature is malleated is the same assertion: used once', async () => {
  const n = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const door = DOORS.find(({ name }) => name === 'assertion for a token') as Door;
  const jws = scene.filer.assertion(scene.issuer);
  expect((await door.knock(scene, jws, scene.filer)).status).toBe(200);
  const bytes = Buffer.from(jws.slice(jws.lastIndexOf('.') + 1), 'base64url');
  const s = n - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  const again = `${jws.slice(0, jws.lastIndexOf('.'))}.${other.toString('base64url')}`;
  expect((await door.knock(scene, again, scene.filer)).status).toBe(401);
});

test('nobody was called', async () => {
  // What a gateway that follows URLs would have asked for long ago: one more round trip after all of them.
  await gateway.ask('GET', '/readyz');
  expect(visitors).toBe(0);
});
