#include "seed.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

bool test_seed_parse(const char *text, uint64_t *ret)
{
    const int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;
    unsigned long long value;
    char *end;

    if (!isdigit((unsigned char)text[0])) /* strtoull() skips blanks, and takes a sign */
        return false;
    value = strtoull(text, &end, base);
    if (*end != '\0' || value > INT64_MAX) /* of too large a number it makes ULLONG_MAX */
        return false;
    *ret = value;
    return true;
}

/* False: PS_SEED is not set. */
static bool seed_asked_for(uint64_t *ret)
{
    const char *text = getenv("PS_SEED");

    if (text && !test_seed_parse(text, ret))
        fail_msg("PS_SEED=%s: is no number below 2^63, decimal or with 0x in front", text);
    return text != NULL;
}

uint64_t test_seed(void)
{
    uint64_t seed = 0;

    if (!seed_asked_for(&seed))
        seed = (uint64_t)time(NULL);
    print_message("PS_SEED=%" PRIu64 "\n", seed);
    return seed;
}

struct test_seeds test_seeds(uint64_t n)
{
    uint64_t asked = 0;

    if (seed_asked_for(&asked)) {
        print_message("PS_SEED=%" PRIu64 "\n", asked);
        return (struct test_seeds){.first = asked, .last = asked, .one = true};
    }
    print_message("PS_SEED=1 to PS_SEED=%" PRIu64 "\n", n);
    return (struct test_seeds){.first = 1, .last = n};
}
