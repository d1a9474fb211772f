#include "base/utf8.h"

/* The Unicode Standard, table 3-7: which second byte may follow which first. */
static size_t expected_len(const unsigned char *s, unsigned char *ret_low, unsigned char *ret_high)
{
    unsigned char first = s[0];

    *ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Length of the well-formed sequence that s begins with; 0 if it begins with none. */
static size_t sequence_len(const unsigned char *s, size_t len)
{
    unsigned char low, high;
    const size_t want = expected_len(s, &low, &high);

    if (want > len)
        return 0;
    if (want > 1 && (s[1] < low || s[1] > high))
        return 0;
    for (size_t i = 2; i < want; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    }
    return want;
}

struct ps_utf8 ps_utf8_of(const void *bytes, size_t len)
{
    return (struct ps_utf8){.at = bytes, .left = len};
}

bool ps_utf8_next(struct ps_utf8 *c)
{
    c->at += c->len;
    c->left -= c->len;
    c->len = 0;
    if (c->left == 0)
        return false;
    c->len = sequence_len(c->at, c->left);
    c->sound = c->len > 0;
    if (!c->sound)
        c->len = 1;
    return true;
}
