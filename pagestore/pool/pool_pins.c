/*
 * pool_pins.c - pins that nobody gave back, and in builds with PS_DEBUG_PINS who took them.
 */
#include "pool/pool_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_LEN 400u

#ifdef PS_DEBUG_PINS

/* One pin that was noted and not yet taken back. */
struct note {
    struct note *next; /* older */
    const char *file;
    int line;
    pthread_t thread;
};

struct ps_pin_notes {
    struct ps_mutex mtx; /* rank LEAF; guards the lists */
    struct note *of_frame[];
};

ps_err ps_pool_notes_init(struct ps_pool *pool)
{
    struct ps_pin_notes *notes =
        calloc(1, sizeof(*notes) + pool->frame_count * sizeof(notes->of_frame[0]));

    if (!notes)
        return ps_fail(PS_ERR_NOMEM, "no memory to note pins");
    ps_mutex_init(&notes->mtx, PS_RANK_LEAF, "pool.notes.mtx");
    pool->notes = notes;
    return PS_OK;
}

void ps_pool_notes_deinit(struct ps_pool *pool)
{
    struct ps_pin_notes *notes = pool->notes;
    uint32_t i;

    if (!notes)
        return;
    for (i = 0; i < pool->frame_count; i++) {
        while (notes->of_frame[i]) {
            struct note *n = notes->of_frame[i];

            notes->of_frame[i] = n->next;
            free(n);
        }
    }
    ps_mutex_deinit(&notes->mtx);
    free(notes);
}

static void note_pin(struct ps_pool *pool, const struct ps_page *page, const char *file, int line)
{
    struct note **list = &pool->notes->of_frame[ps_pool_frame_no(pool, page)];
    struct note *n = malloc(sizeof(*n));

    if (!n)
        return; /* a leak of this pin will have no place */
    ps_mutex_lock(&pool->notes->mtx);
    *n = (struct note){.next = *list, .file = file, .line = line, .thread = pthread_self()};
    *list = n;
    ps_mutex_unlock(&pool->notes->mtx);
}

/* The place of the list where this thread's last note hangs, or else the last one. */
static struct note **find_own(struct note **list)
{
    struct note **at;

    for (at = list; *at; at = &(*at)->next) {
        if (pthread_equal((*at)->thread, pthread_self()))
            return at;
    }
    return list;
}

void ps_pool_forget_pin(struct ps_pool *pool, const struct ps_page *page)
{
    struct note **list = &pool->notes->of_frame[ps_pool_frame_no(pool, page)];
    struct note **at, *gone;

    ps_mutex_lock(&pool->notes->mtx);
    at = find_own(list);
    gone = *at;
    if (gone)
        *at = gone->next;
    ps_mutex_unlock(&pool->notes->mtx);
    free(gone);
}

/* Is it the first of the list from its place? */
static bool is_new_place(const struct note *list, const struct note *n)
{
    while (list != n && (list->line != n->line || strcmp(list->file, n->file) != 0))
        list = list->next;
    return list == n;
}

/* Adds a place to the text if there is room. */
static void add_place(char *text, const struct note *n)
{
    const char *slash = strrchr(n->file, '/');
    const size_t len = strlen(text);
    char place[128];

    (void)snprintf(place, sizeof(place), "%s:%d", slash ? slash + 1 : n->file, n->line);
    if (len + strlen(place) + sizeof(" and ") <= PLACES_LEN)
        (void)snprintf(text + len, PLACES_LEN - len, "%s%s", len > 0 ? " and " : "", place);
}

/* Every place from which the frame is pinned; "" if none is known. */
static void list_places(struct ps_pool *pool, uint32_t frame, char text[PLACES_LEN])
{
    const struct note *list, *n;

    text[0] = '\0';
    ps_mutex_lock(&pool->notes->mtx);
    list = pool->notes->of_frame[frame];
    for (n = list; n; n = n->next) {
        if (is_new_place(list, n))
            add_place(text, n);
    }
    ps_mutex_unlock(&pool->notes->mtx);
}

#else

ps_err ps_pool_notes_init(struct ps_pool *pool)
{
    (void)pool;
    return PS_OK;
}

void ps_pool_notes_deinit(struct ps_pool *pool)
{
    (void)pool;
}

static void note_pin(struct ps_pool *pool, const struct ps_page *page, const char *file, int line)
{
    (void)pool;
    (void)page;
    (void)file;
    (void)line;
}

static void list_places(struct ps_pool *pool, uint32_t frame, char text[PLACES_LEN])
{
    (void)pool;
    (void)frame;
    text[0] = '\0';
}

#endif

ps_err ps_pool_note_pin(struct ps_pool *pool, ps_err err, struct ps_page *const *page,
                        const char *file, int line)
{
    if (!err)
        note_pin(pool, *page, file, line);
    return err;
}

ps_err ps_pool_note_pins(struct ps_pool *pool, ps_err err, struct ps_page *const *pages,
                         size_t count, const char *file, int line)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (pages[i])
            note_pin(pool, pages[i], file, line);
    }
    return err;
}

uint32_t ps_pool_leaks(struct ps_pool *pool, void (*each)(void *ctx, const char *text), void *ctx)
{
    uint32_t i, count = 0;

    for (i = 0; i < pool->frame_count; i++) {
        const struct ps_frame *f = &pool->frames[i];
        const uint32_t pins = ps_st_pins(ps_frame_state(f));
        char places[PLACES_LEN], text[PLACES_LEN + 128];

        if (pins == 0)
            continue;
        list_places(pool, i, places);
        (void)snprintf(text, sizeof(text), "%spage %u of table %u: %s%s%s%u %s",
                       f->page.tag.fork == PS_FORK_MAP ? "map " : "", f->page.tag.page,
                       f->page.tag.table, places[0] ? "pinned at " : "", places,
                       places[0] ? ", " : "", pins, pins == 1 ? "pin" : "pins");
        each(ctx, text);
        count++;
    }
    return count;
}
