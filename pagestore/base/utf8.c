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

size_t ps_utf8_len(const unsigned char *s, size_t len)
{
    unsigned char low, high;
    size_t want;

    if (len == 0)
        return 0;
    want = expected_len(s, &low, &high);
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
