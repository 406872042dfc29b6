import { Type } from 'typebox';
import { getPrintable } from '../../ingest/printable.ts';
import {
  entityTag,
  findFilings,
  getContent,
  getFiling,
  getReceipt,
  getSignedStatement,
  locateCosigned,
  locateFiling,
  type ReadContext,
} from '../../ingest/read.ts';
import { receiptPage } from '../../portal/receipt-page.ts';
import { RECEIPT_STYLE } from '../../portal/receipt-style.ts';
import { fromBase64url } from '../../std/bytes.ts';
import { GatewayError } from '../../std/errors.ts';
import {
  BulkContent,
  CompactJws,
  FilingListSchema,
  FollowedFilingSchema,
  Id,
  JWS_MEDIA,
  ReceiptSchema,
} from '../filing-schemas.ts';
import { pageHeaders } from '../html.ts';
import { preferredMediaType } from '../negotiate.ts';
import { parsePeriod } from '../period-parameter.ts';
import { type Route, route } from '../route.ts';

export interface FilingReadDeps {
  readonly reading: ReadContext;
  /** A tlog-proof under the newest checkpoint of the office's log, or under one that is given. */
  readonly proof: (office: string, index: number, checkpoint?: string) => Promise<string>;
}

const tag = 'filings';
/** An operator may ask, and finds nothing: to run the gateway is not to read what was filed. */
const READERS = ['filer', 'agent', 'office', 'operator'] as const;
const idParams = Type.Object({ id: Id });

export function filingReadRoutes(deps: FilingReadDeps): readonly Route[] {
  return [
    getFilingRoute(deps),
    findFilingsRoute(deps),
    getReceiptRoute(deps),
    getProofRoute(deps),
    getContentRoute(deps),
  ];
}

function getFilingRoute({ reading }: FilingReadDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/filings/{id}',
    operationId: 'getFiling',
    tag,
    summary: { zh: '查询一份申报及其状态', en: 'A filing with its status and history' },
    access: READERS,
    params: idParams,
    responses: {
      200: {
        description: 'The filing',
        media: { 'application/json': FollowedFilingSchema },
        headers: { ETag: 'Changes with the answer' },
      },
      304: { description: 'Not changed since the ETag in If-None-Match' },
    },
    errors: ['not-found'],
    handle: async (call) => {
      const filing = await getFiling(reading, call.caller, call.params.id);
      const headers = { ETag: entityTag(filing) };
      const known = call.header('if-none-match')?.split(/\s*,\s*/) ?? [];
      if (known.some((etag) => etag === '*' || etag.replace(/^W\//, '') === headers.ETag))
        return new Response(null, { status: 304, headers });
      return Response.json(filing, { headers });
    },
  });
}

function findFilingsRoute({ reading }: FilingReadDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/filings',
    operationId: 'findFilings',
    tag,
    summary: { zh: '按申报人、类型、所属期、单据号或摘要查找', en: 'Find filings by what the sender knows' },
    access: READERS,
    query: Type.Object({
      filer: Type.Optional(Type.String({ maxLength: 18, description: 'Needed unless the caller is the filer' })),
      type: Type.Optional(Type.String({ maxLength: 64 })),
      period: Type.Optional(
        Type.String({
          maxLength: 32,
          description: '2026, 2026-Q4, 2026-10, 2026-10-08 or 2026-10-01/2026-10-31: filings whose period lies in it',
        }),
      ),
      reference: Type.Optional(Type.String({ maxLength: 64 })),
      digest: Type.Optional(Type.String({ maxLength: 64, description: 'SHA-256 of the payload bytes, base64url' })),
      cursor: Type.Optional(Type.String({ maxLength: 128 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50 })),
    }),
    responses: {
      200: { description: 'A page, newest period first', media: { 'application/json': FilingListSchema } },
    },
    errors: ['invalid-parameter'],
    handle: async (call) => {
      const { period, digest, limit, ...query } = call.query;
      const page = await findFilings(reading, call.caller, {
        ...query,
        period: period === undefined ? undefined : parsePeriod(period),
        digest: digest === undefined ? undefined : parseDigest(digest),
        limit: limit ?? 50,
      });
      return Response.json(page);
    },
  });
}

function getReceiptRoute({ reading, proof }: FilingReadDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/filings/{id}/receipt',
    operationId: 'getReceipt',
    tag,
    summary: { zh: '取回回执', en: 'The receipt: as JSON, as a compact JWS, or as a page to print' },
    access: READERS,
    params: idParams,
    query: Type.Object({ lang: Type.Optional(Type.Enum(['zh', 'en'], { description: 'Of the page' })) }),
    responses: {
      200: {
        description: 'The receipt',
        media: { 'application/json': ReceiptSchema, 'application/jose': CompactJws, 'text/html': Type.String() },
      },
    },
    errors: ['not-found', 'not-acceptable'],
    handle: async (call) => {
      const { caller, params } = call;
      const media = preferredMediaType(call.header('accept'), ['application/json', 'application/jose', 'text/html']);
      if (media === undefined) throw new GatewayError('not-acceptable');
      if (media === 'application/json') return Response.json(await getReceipt(reading, caller, params.id), VARY_ACCEPT);
      if (media === 'application/jose') return typed(await getSignedStatement(reading, caller, params.id), media);
      const printable = await getPrintable(reading, caller, params.id);
      const { office, index, delivery } = printable.filing;
      const { checkpoint } = delivery?.cosignature ?? {};
      const evidence = checkpoint === undefined ? undefined : await proof(office, index, checkpoint);
      const language = call.query.lang ?? call.language;
      const headers = { ...pageHeaders(language, RECEIPT_STYLE), Vary: 'Accept, Accept-Language' };
      return new Response(receiptPage({ ...printable, language, proof: evidence }), { headers });
    },
  });
}

function getProofRoute({ reading, proof }: FilingReadDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/filings/{id}/proof',
    operationId: 'getProof',
    tag,
    summary: {
      zh: '在机关日志中的存在证明',
      en: "Proof that the filing stands in its office's log (C2SP tlog-proof)",
    },
    access: READERS,
    params: idParams,
    query: Type.Object({
      cosigned: Type.Optional(
        Type.Boolean({
          description:
            'True: under the smallest checkpoint over it that the office has cosigned, with its cosignature; the newest one as long as there is none',
        }),
      ),
    }),
    responses: { 200: { description: 'The proof', media: { 'text/plain': Type.String() } } },
    errors: ['not-found'],
    handle: async (call) => {
      const { caller, params, query } = call;
      const { office, index, cosigned } = query.cosigned
        ? await locateCosigned(reading, caller, params.id)
        : { ...(await locateFiling(reading, caller, params.id)), cosigned: undefined };
      return typed(await proof(office, index, cosigned?.checkpoint), 'text/plain; charset=utf-8');
    },
  });
}

function getContentRoute({ reading }: FilingReadDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/filings/{id}/content',
    operationId: 'getContent',
    tag,
    summary: { zh: '取回收到的原文', en: 'The filing exactly as received' },
    access: READERS,
    params: idParams,
    responses: {
      200: {
        description: 'The JWS; for bulk form B the payload line with its proof',
        media: { ...JWS_MEDIA, 'application/json': BulkContent },
      },
    },
    errors: ['not-found'],
    recorded: 'content',
    handle: async (call) => {
      const content = await getContent(reading, call.caller, call.params.id);
      if (content.form === 'bulk') {
        const { form: _, ...bulk } = content;
        return Response.json(bulk);
      }
      return typed(content.text, content.form === 'compact' ? 'application/jose' : 'application/jose+json');
    },
  });
}

const VARY_ACCEPT = { headers: { Vary: 'Accept' } };

function typed(body: string, contentType: string): Response {
  return new Response(body, { headers: { 'Content-Type': contentType, Vary: 'Accept' } });
}

function parseDigest(text: string): Buffer {
  const digest = fromBase64url(text);
  if (digest?.length !== 32) {
    throw new GatewayError('invalid-parameter', {
      detail: {
        zh: 'digest 应是 32 字节 SHA-256 的 base64url（43 个字符）。',
        en: 'digest is a SHA-256 in base64url, 43 characters.',
      },
    });
  }
  return digest;
}
