import { Type } from 'typebox';

// The contract's objects about filings, as JSON Schema: what the OpenAPI document shows and what tests check replies with.

export const Id = Type.String({
  pattern: '^[A-Za-z0-9-]{1,32}\\.(0|[1-9][0-9]{0,14})$',
  description: '<office>.<index>',
});
const Digest = Type.String({
  pattern: '^[A-Za-z0-9_-]{43}$',
  description: 'SHA-256, base64url without padding',
});
const Instant = Type.String({ format: 'date-time', description: 'RFC 3339, UTC, milliseconds' });
const PlainDateText = Type.String({ format: 'date', description: 'YYYY-MM-DD, Asia/Shanghai' });
const PeriodSchema = Type.Object(
  { from: PlainDateText, to: PlainDateText },
  { description: '所属期, both days included' },
);
const KindSchema = Type.Enum(['original', 'correction', 'supplement', 'void']);

export const TextSchema = Type.Object({ zh: Type.String(), en: Type.String() });

const ViolationSchema = Type.Object({
  pointer: Type.String({ description: 'RFC 6901 pointer into the payload' }),
  code: Type.String(),
  rule: Type.Optional(Type.String()),
  line: Type.Optional(Type.String({ description: "The form's own line (栏次)" })),
  severity: Type.Enum(['error', 'warning']),
  message: TextSchema,
  explanation: Type.Optional(
    Type.String({ description: "The filer's own, from the filing's `explanations` (情况说明)" }),
  ),
});

const StatementSchema = Type.Object(
  {
    iss: Type.String(),
    env: Type.String(),
    id: Id,
    office: Type.String(),
    index: Type.Integer({ minimum: 0 }),
    type: Type.String(),
    version: Type.String(),
    filer: Type.String(),
    period: PeriodSchema,
    reference: Type.Optional(Type.String()),
    kind: KindSchema,
    supersedes: Type.Optional(Id),
    digest: Digest,
    leaf: Digest,
    receivedAt: Instant,
  },
  { description: 'What the gateway states; a leaf of the tick tree is the RFC 6962 leaf hash of its RFC 8785 form' },
);

export const ReceiptSchema = Type.Object({
  statement: StatementSchema,
  salt: Type.String({ pattern: '^[A-Za-z0-9_-]{22}$' }),
  path: Type.Array(Digest, { description: 'RFC 6962 inclusion path, lowest sibling first' }),
  leafIndex: Type.Integer({ minimum: 0 }),
  treeSize: Type.Integer({ minimum: 1 }),
  signature: Type.String({ description: 'Compact JWS over {root, treeSize, at, iss}' }),
});

const filingMembers = {
  id: Id,
  type: Type.String(),
  version: Type.String(),
  filer: Type.String(),
  office: Type.String(),
  index: Type.Integer({ minimum: 0 }),
  period: PeriodSchema,
  reference: Type.Optional(Type.String()),
  kind: KindSchema,
  supersedes: Type.Optional(Id),
  digest: Digest,
  status: Type.Enum(['accepted', 'superseded', 'voided']),
  receivedAt: Instant,
  late: Type.Boolean(),
  warnings: Type.Array(ViolationSchema),
  receipt: ReceiptSchema,
};

export const FilingSchema = Type.Object(filingMembers, { description: 'A filing as it was stored, with its receipt' });

const DeliverySchema = Type.Object(
  {
    at: Instant,
    size: Type.Integer({ minimum: 1, description: 'Entries that it acknowledged: every index below' }),
    cosignature: Type.Optional(
      Type.Object(
        {
          kid: Type.String({ description: "The office's key: its RFC 7638 thumbprint" }),
          at: Type.String({ format: 'date-time', description: 'When the office says that it signed, whole seconds' }),
          size: Type.Integer({ minimum: 1, description: 'Entries under the checkpoint' }),
          checkpoint: Type.String({
            description:
              "C2SP signed note with two signature lines: the gateway's, and the office's (tlog-cosignature)",
          }),
        },
        { description: 'By the smallest checkpoint over the filing that the office has cosigned' },
      ),
    ),
  },
  {
    description:
      'The office has the filing: it proved so with a root over its log. `at`: when it first acknowledged a batch that covers it. Absent until then.',
  },
);

export const FollowedFilingSchema = Type.Object({
  ...filingMembers,
  compared: Type.Boolean({
    description:
      "Filings of some types are compared with the filer's others after acceptance; `warnings` then holds what was found. " +
      'False: not done yet. It can change again when a neighbouring period is filed or corrected later.',
  }),
  history: Type.Array(
    Type.Object({
      status: Type.Enum(['accepted', 'superseded', 'voided']),
      at: Instant,
      by: Type.Optional(Type.String({ description: 'The filing that brought it about' })),
    }),
  ),
  delivery: Type.Optional(DeliverySchema),
});

export const FilingListSchema = Type.Object({
  items: Type.Array(FollowedFilingSchema),
  next: Type.Union([Type.String(), Type.Null()]),
});

export const DryRunSchema = Type.Object({
  valid: Type.Boolean(),
  errors: Type.Array(ViolationSchema),
  warnings: Type.Array(ViolationSchema),
  more: Type.Optional(Type.Integer({ description: 'Violations beyond those listed' })),
});

/** What a filer signs. The type's own schema says what `data` holds. */
export const PayloadSchema = Type.Object({
  type: Type.String({ examples: ['tax.vat.general'] }),
  version: Type.Optional(Type.String()),
  filer: Type.String({ description: 'Unified social credit code, GB 32100' }),
  period: PeriodSchema,
  reference: Type.Optional(Type.String({ maxLength: 64 })),
  office: Type.Optional(Type.String()),
  supersedes: Type.Optional(Id),
  kind: KindSchema,
  explanations: Type.Optional(
    Type.Array(
      Type.Object({
        rule: Type.String({
          maxLength: 64,
          description: "A rule of the type's version, or `earlier-period`",
          examples: ['VAT-13'],
        }),
        pointer: Type.Optional(
          Type.String({ maxLength: 512, description: "Only of the warning at this place; absent: all of the rule's" }),
        ),
        text: Type.String({ minLength: 1, maxLength: 1000, description: 'Printable characters' }),
      }),
      { maxItems: 100, description: 'Why warnings are right to stand (情况说明); shown with them' },
    ),
  ),
  data: Type.Optional(Type.Unknown()),
});

export const CompactJws = Type.String({
  description: 'RFC 7515 compact serialization. Protected header: alg, kid, typ "filing+jws", aud (the issuer).',
  pattern: '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$',
});

const FlattenedJws = Type.Object(
  { protected: Type.String(), payload: Type.String(), signature: Type.String() },
  { description: 'RFC 7515 flattened JSON serialization, without an unprotected header', additionalProperties: false },
);

export const BulkContent = Type.Object({
  payload: Type.String({ description: 'The payload line, base64url' }),
  manifest: Type.String({ description: 'The compact JWS over {count, root}' }),
  line: Type.Integer({ minimum: 0, description: "The line's leaf index under the root" }),
  path: Type.Array(Digest),
});

/** A JWS in either serialization. */
export const JWS_MEDIA = { 'application/jose': CompactJws, 'application/jose+json': FlattenedJws };
