/*
 * pg_checksum.h - PostgreSQL's page checksum (storage/checksum_impl.h): 32 FNV-1a sums side by
 * side, folded with the block number into 1 to 65535.
 *
 * The bytes 8 and 9, where the checksum itself stands, count as zero. page_size is a power of
 * two of at least 128; the page may lie at any address and is not changed.
 *
 * Flow       format_postgres.c, pg -> [pg_checksum]
 * Units      block numbers count over all segments of a fork; page_size is bytes.
 * Locking    pure functions.
 */
#ifndef PS_FORMAT_PG_CHECKSUM_H
#define PS_FORMAT_PG_CHECKSUM_H

#include <stdint.h>

uint16_t ps_pg_checksum(const void *page, uint32_t page_size, uint32_t block_no);

#endif
