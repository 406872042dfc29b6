import { customType } from 'drizzle-orm/pg-core';

/** bytea as a Buffer. */
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });

/** A 64-bit transaction id: order of visibility, not of time. */
export const xid8 = customType<{ data: string; driverData: string }>({ dataType: () => 'xid8' });
