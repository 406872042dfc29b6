import { Type } from 'typebox';

// What the operations on an office's log have in common.

/** Entries that one request can ask for. */
export const MAX_ENTRIES = 100_000;
export const DEFAULT_ENTRIES = 10_000;

export const Index = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER - MAX_ENTRIES });
export const Instant = Type.String({ format: 'date-time' });
export const OfficeCode = Type.String({ minLength: 1, maxLength: 32, description: "The office's code." });
export const OfficeParams = Type.Object({ office: OfficeCode });
