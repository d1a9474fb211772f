/*
 * typmod.h - what is packed into atttypmod: lengths, an interval's fields and precision.
 *
 * Locking    constants.
 * Source     src/include/utils/timestamp.h, datetime.h; numeric.c, timestamp.c, varchar.c of
 *            src/backend/utils/adt.
 */
#ifndef PS_PG_TYPMOD_H
#define PS_PG_TYPMOD_H

#define PS_PG_VARHDRSZ 4 /* is added to lengths of strings, and to a numeric's */

/* Fields of an interval, as bits. */
#define PS_PG_MONTH (1 << 1)
#define PS_PG_YEAR (1 << 2)
#define PS_PG_DAY (1 << 3)
#define PS_PG_HOUR (1 << 10)
#define PS_PG_MINUTE (1 << 11)
#define PS_PG_SECOND (1 << 12)
#define PS_PG_INTERVAL_FULL_RANGE 0x7fff     /* the bits above the precision's; all: any fields */
#define PS_PG_INTERVAL_FULL_PRECISION 0xffff /* the lower bits; all: none was said */

#endif
