/*
 * digits.h - numbers as their digits, and back.
 *
 * Flow       store, pg, fs, tools -> [digits]
 * Locking    pure functions.
 * Errors     false: the text is no such number; *ret is untouched.
 * Promise    what is read is the whole text: no blanks, no sign, nothing behind the digits.
 */
#ifndef PS_BASE_DIGITS_H
#define PS_BASE_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

/* Puts a byte's two hexadecimal digits and returns where they end. */
static inline char *ps_put_hex(char *to, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";

    *to++ = digits[byte >> 4];
    *to++ = digits[byte & 15];
    return to;
}

/* Reads a number from min to max in decimal digits. False: the text is none; *ret is untouched. */
static inline bool ps_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    const char *at;

    for (at = text; *at >= '0' && *at <= '9'; at++) {
        const unsigned digit = (unsigned)(*at - '0');

        if (value > (max - digit) / 10 || digit > max)
            return false;
        value = value * 10 + digit;
    }
    if (at == text || *at != '\0' || value < min)
        return false;
    *ret = value;
    return true;
}

#endif
