import { Type } from 'typebox';
import { AGENCIES } from '../domain/filing.ts';
import { MAX_MANDATE_TYPES } from '../identity/put-mandate.ts';
import { MAX_REGISTRATIONS } from '../identity/put-registrations.ts';
import { PARTY_KINDS, SIGNATURE_ALGORITHMS } from '../identity/records.ts';

// The contract's objects about identity, as JSON Schema: for the routes, for the lines of an import, for the OpenAPI document.

/** A name for people: one line of text. */
const Name = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const PlainDate = Type.String({ format: 'date', description: 'YYYY-MM-DD, Asia/Shanghai' });
const Instant = Type.String({ format: 'date-time', description: 'RFC 3339' });

/** Wide enough for every id and code, narrow enough to be looked up. Whether it is a right one is said by the verbs. */
export const IdText = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });
export const Kid = Type.String({
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: 'RFC 7638 thumbprint (SHA-256) of the key.',
});
const PartyId = Type.String({
  minLength: 1,
  maxLength: 64,
  description: "A filer's or agent's unified social credit code, an office's code, an operator's name.",
});

const officeMembers = {
  agency: Type.Enum([...AGENCIES], {
    description: 'tax 税务, si 人社与医保, amr 市场监管, psb 公安, city 城市管理, emg 应急管理',
  }),
  region: Type.String({ minLength: 6, maxLength: 6, description: 'Region code, GB/T 2260.' }),
  name: Type.Object({ zh: Name, en: Name }, { additionalProperties: false }),
};
export const OfficeBody = Type.Object(officeMembers, { additionalProperties: false });
export const OfficeSchema = Type.Object({ office: IdText, ...officeMembers });

const partyMembers = {
  kind: Type.Enum([...PARTY_KINDS]),
  name: Name,
  taxpayerKind: Type.Optional(
    Type.Enum(['general', 'small'], { description: "A filer's VAT status: 一般纳税人 or 小规模纳税人." }),
  ),
};
const Status = Type.Enum(['active', 'suspended']);
export const PartyBody = Type.Object(
  { ...partyMembers, status: Type.Optional(Type.Enum(['active', 'suspended'], { default: 'active' })) },
  { additionalProperties: false },
);
export const PartySchema = Type.Object({ id: PartyId, ...partyMembers, status: Status });

const JwkBody = Type.Object(
  {
    kty: Type.String({ maxLength: 8 }),
    crv: Type.Optional(Type.String({ maxLength: 16 })),
    x: Type.Optional(Type.String({ maxLength: 64 })),
    y: Type.Optional(Type.String({ maxLength: 64 })),
    n: Type.Optional(Type.String({ maxLength: 1_024 })),
    e: Type.Optional(Type.String({ maxLength: 16 })),
    alg: Type.Optional(Type.String({ maxLength: 16 })),
    kid: Type.Optional(Type.String({ maxLength: 64 })),
  },
  {
    maxProperties: 20,
    description:
      'Public key (RFC 7517): EC P-256 (ES256), OKP Ed25519 (EdDSA), or RSA of 2048 to 4096 bits with `alg` PS256 or RS256.',
  },
);
const keyMembers = {
  jwk: JwkBody,
  notBefore: Type.Optional(Instant),
  notAfter: Type.Optional(Instant),
};
export const KeyBody = Type.Object(
  {
    ...keyMembers,
    proof: Type.String({
      maxLength: 16_384,
      description: 'Compact JWS by this key over {"sub": party, "aud": issuer, "iat"}; `iat` within ten minutes.',
    }),
  },
  { additionalProperties: false },
);
export const KeySchema = Type.Object({
  kid: Kid,
  party: PartyId,
  jwk: Type.Object({ kty: Type.String(), alg: Type.Enum([...SIGNATURE_ALGORITHMS]), kid: Kid }),
  notBefore: Type.Optional(Instant),
  notAfter: Type.Optional(Instant),
  createdAt: Instant,
  revokedAt: Type.Optional(Instant),
  revokedReason: Type.Optional(Type.String()),
});
export const KeyListSchema = Type.Object({
  items: Type.Array(KeySchema),
  next: Type.Union([Type.String(), Type.Null()]),
});
export const RevocationBody = Type.Object({ reason: Name }, { additionalProperties: false });

const Registration = Type.Object(
  { office: IdText, from: PlainDate, to: Type.Optional(PlainDate) },
  { additionalProperties: false },
);
export const RegistrationsBody = Type.Array(Registration, { maxItems: MAX_REGISTRATIONS });

const mandateMembers = {
  agent: PartyId,
  filer: PartyId,
  types: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    minItems: 1,
    maxItems: MAX_MANDATE_TYPES,
    description: 'Filing types; `*` as the last segment for all below it: `tax.*`.',
  }),
  from: PlainDate,
  to: Type.Optional(PlainDate),
};
export const MandateBody = Type.Object(mandateMembers, { additionalProperties: false });
export const MandateSchema = Type.Object({
  id: IdText,
  ...mandateMembers,
  jws: Type.Optional(
    Type.String({
      description: 'As the filer signed it, a compact JWS. Absent where an operator entered the mandate.',
    }),
  ),
  signedAt: Type.Optional({ ...Instant, description: 'By the filer’s own words.' }),
});
/** What a filer signs. */
export const MandateTerms = Type.Object(
  {
    id: IdText,
    ...mandateMembers,
    iat: Type.Integer({ minimum: 0, description: 'When it was signed, in seconds since 1970. The newest stands.' }),
  },
  { additionalProperties: false },
);

/** The lines of an import, by their `op`. */
export const IMPORT_LINES = {
  office: Type.Object(
    { op: Type.Literal('office'), office: IdText, ...officeMembers },
    { additionalProperties: false },
  ),
  party: Type.Object(
    { op: Type.Literal('party'), id: PartyId, ...partyMembers, status: Type.Optional(Status) },
    { additionalProperties: false },
  ),
  key: Type.Object({ op: Type.Literal('key'), party: PartyId, ...keyMembers }, { additionalProperties: false }),
  registration: Type.Object(
    { op: Type.Literal('registration'), filer: PartyId, registrations: RegistrationsBody },
    { additionalProperties: false },
  ),
  mandate: Type.Object({ op: Type.Literal('mandate'), id: IdText, ...mandateMembers }, { additionalProperties: false }),
};
