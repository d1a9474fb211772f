/*
 * output_net.c - addresses of networks (src/include/utils/inet.h, src/port/inet_net_ntop.c) and of
 * cards.
 */
#include "pg/output_internal.h"

enum { FAMILY_IPV4 = 2, FAMILY_IPV6 = 3 }; /* whatever the system's AF_ numbers are */

#define IPV4_LEN 4u
#define IPV6_LEN 16u
#define WORDS 8u

static void add_ipv4(struct ps_text *out, const uint8_t *octets)
{
    uint32_t i;

    for (i = 0; i < IPV4_LEN; i++) {
        if (i > 0)
            ps_pg_add_char(out, '.');
        ps_pg_add_u64(out, octets[i]);
    }
}

static void add_hex_word(struct ps_text *out, uint32_t word)
{
    static const char digit[] = "0123456789abcdef";
    int shift = word > 0xfff ? 12 : word > 0xff ? 8 : word > 0xf ? 4 : 0;

    for (; shift >= 0; shift -= 4)
        ps_pg_add_char(out, digit[word >> shift & 15]);
}

/* The first of the longest runs of zero words, if it has at least two; else WORDS. */
static uint32_t longest_zeros(const uint16_t words[WORDS], uint32_t *ret_len)
{
    uint32_t best = WORDS, best_len = 1, len = 0;
    uint32_t i;

    for (i = 0; i < WORDS; i++) {
        len = words[i] == 0 ? len + 1 : 0;
        if (len > best_len) {
            best_len = len;
            best = i + 1 - len;
        }
    }
    *ret_len = best < WORDS ? best_len : 0;
    return best;
}

/* The last two words are printed as IPv4: compatible and mapped addresses, but not ::1. */
static bool embeds_ipv4(const uint16_t words[WORDS], uint32_t zeros, uint32_t zeros_len)
{
    return zeros == 0 && (zeros_len == 6 || (zeros_len == 7 && words[7] != 1) ||
                          (zeros_len == 5 && words[5] == 0xffff));
}

static void add_ipv6(struct ps_text *out, const uint8_t *octets)
{
    uint32_t zeros, zeros_len, i;
    uint16_t words[WORDS];

    for (i = 0; i < WORDS; i++)
        words[i] = (uint16_t)(octets[2 * i] << 8 | octets[2 * i + 1]);
    zeros = longest_zeros(words, &zeros_len);
    for (i = 0; i < WORDS; i++) {
        if (i >= zeros && i < zeros + zeros_len) {
            if (i == zeros)
                ps_pg_add_char(out, ':');
            continue;
        }
        if (i != 0)
            ps_pg_add_char(out, ':');
        if (i == 6 && embeds_ipv4(words, zeros, zeros_len)) {
            add_ipv4(out, octets + 12);
            return;
        }
        add_hex_word(out, words[i]);
    }
    if (zeros_len > 0 && zeros + zeros_len == WORDS)
        ps_pg_add_char(out, ':');
}

/* Family, bits of the mask, octets. */
static ps_err add_network(const uint8_t *data, uint32_t len, bool is_cidr, struct ps_text *out)
{
    uint32_t octets = 0;

    if (len >= 2 && data[0] == FAMILY_IPV4)
        octets = IPV4_LEN;
    else if (len >= 2 && data[0] == FAMILY_IPV6)
        octets = IPV6_LEN;
    if (octets == 0 || len != 2 + octets || data[1] > octets * 8)
        return ps_fail(PS_ERR_CORRUPT, "inet: %u bytes, of which the first is %u", len,
                       len > 0 ? data[0] : 0u);
    if (octets == IPV4_LEN)
        add_ipv4(out, data + 2);
    else
        add_ipv6(out, data + 2);
    if (is_cidr || data[1] != octets * 8) {
        ps_pg_add_char(out, '/');
        ps_pg_add_u64(out, data[1]);
    }
    return ps_text_err(out);
}

ps_err ps_pg_out_inet(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    return add_network(data, len, false, out);
}

ps_err ps_pg_out_cidr(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                      const uint8_t *data, uint32_t len, struct ps_text *out)
{
    (void)p;
    (void)type;
    return add_network(data, len, true, out);
}

/* macaddr and macaddr8 */
ps_err ps_pg_out_macaddr(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                         const uint8_t *data, uint32_t len, struct ps_text *out)
{
    uint32_t i;

    (void)p;
    (void)type;
    for (i = 0; i < len; i++) {
        if (i > 0)
            ps_pg_add_char(out, ':');
        ps_pg_add_hex(out, data + i, 1);
    }
    return ps_text_err(out);
}
