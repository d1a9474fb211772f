/*
 * demo_profile.c - which page is accessed next, and how.
 *
 * mixed    a few pages get most accesses: ranks by Zipf's law, spread over the table
 * random   every page is as likely as any other
 * scan     one page after the other, round and round
 */
#include <math.h>

#include "demo.h"

/* A prime above DEMO_PAGES_MAX: multiplying by it maps the pages onto themselves. */
#define SPREAD 2654435761ull

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)((next_random(state) >> 32) * bound >> 32);
}

static double random_unit(uint64_t *state)
{
    return (double)(next_random(state) >> 11) * 0x1p-53;
}

static double zeta(uint64_t n, double theta)
{
    double sum = 0;

    for (uint64_t i = n; i >= 1; i--)
        sum += pow((double)i, -theta);
    return sum;
}

/* "Quickly generating billion-record synthetic databases" (Gray et al., 1994), section 3.2. */
void demo_skew_init(struct demo_skew *skew, uint64_t items, double theta)
{
    skew->items = items;
    skew->theta = theta;
    skew->zeta_n = zeta(items, theta);
    skew->zeta_2 = zeta(2, theta);
    skew->alpha = 1 / (1 - theta);
    skew->eta = (1 - pow(2.0 / (double)items, 1 - theta)) / (1 - skew->zeta_2 / skew->zeta_n);
}

uint64_t demo_skew_rank(const struct demo_skew *skew, double u)
{
    const double uz = u * skew->zeta_n;
    uint64_t rank;

    if (uz < 1 || skew->items == 1)
        return 0;
    if (uz < skew->zeta_2 || skew->items == 2)
        return 1;
    rank = (uint64_t)((double)skew->items * pow(skew->eta * u - skew->eta + 1, skew->alpha));
    return rank < skew->items ? rank : skew->items - 1;
}

void demo_source_init(struct demo_source *s, const struct demo_config *config,
                      const struct demo_skew *skew, uint32_t thread)
{
    uint64_t mixed = config->seed;

    *s = (struct demo_source){
        .profile = config->profile,
        .skew = skew,
        .pages = (uint32_t)config->pages,
        .next_page = (uint32_t)(config->pages * thread / config->threads),
        .writes_percent = (uint32_t)config->writes_percent,
    };
    s->random = next_random(&mixed) + thread * 0xd1342543de82ef95ull;
}

void demo_source_next(struct demo_source *s, struct demo_access *ret)
{
    ret->write = random_below(&s->random, 100) < s->writes_percent;
    switch (s->profile) {
    case DEMO_MIXED:
        ret->page =
            (uint32_t)(demo_skew_rank(s->skew, random_unit(&s->random)) * SPREAD % s->pages);
        break;
    case DEMO_RANDOM:
        ret->page = random_below(&s->random, s->pages);
        break;
    case DEMO_SCAN:
        ret->page = s->next_page;
        s->next_page = s->next_page + 1 == s->pages ? 0 : s->next_page + 1;
        break;
    }
}
