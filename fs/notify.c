#include "fs/notify.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"
#include "fs/pfs.h"

#define QUEUE_MAX 4096u       /* events */
#define PAGES_MAX 4096u       /* of one event; beyond it, timeouts do */
#define PAGES_MAX_CHANGED 16u /* the same for attributes only */

/* Pages whose attributes the kernel may know: a bit for each, shared by those whose numbers agree
 * in their low bits. */
#define SHOWN_BITS 65536u

struct note {
    enum ps_event_kind kind;
    uint32_t table;
    uint64_t first, count;
};

struct pfs_notify {
    struct pfs *fs;
    pthread_t thread;
    bool started;
    int ended_fd; /* an eventfd: readable once the thread has nothing more to do */
    pthread_mutex_t mtx;
    pthread_cond_t wake;
    bool stop;                    /* guarded by mtx */
    struct note queue[QUEUE_MAX]; /* guarded by mtx: a ring */
    size_t head, len;             /* guarded by mtx */
    _Atomic uint64_t shown[SHOWN_BITS / 64];
};

/* The request that this thread works on; no page when there is none. */
static _Thread_local uint32_t own_table;
static _Thread_local uint64_t own_page = UINT64_MAX;

void pfs_notify_own(uint32_t table, uint64_t page)
{
    own_table = table;
    own_page = page;
}

/* --- to the kernel ------------------------------------------------------------------------ */

/* The kernel answers ENOENT where it remembers nothing; that is as good as having forgotten. */

static void forget_name(struct pfs *fs, uint32_t table, uint32_t page)
{
    struct pfs_object folder = {.id = PFS_NODE_TABLE, .table = table};
    char name[PFS_PAGE_NAME_LEN + 1];

    pfs_page_name(page, name);
    fuse_lowlevel_notify_inval_entry(fs->session, pfs_ino(&folder), name, PFS_PAGE_NAME_LEN);
}

static void forget_inode(struct pfs *fs, const struct pfs_object *o, uint64_t off, uint64_t len)
{
    /* A negative offset stands for attributes only. */
    if (fs->opts->kernel_cache)
        fuse_lowlevel_notify_inval_inode(fs->session, pfs_ino(o), (off_t)off, (off_t)len);
    else
        fuse_lowlevel_notify_inval_inode(fs->session, pfs_ino(o), -1, 0);
}

static void forget_spaces(struct pfs *fs, const struct note *note)
{
    struct pfs_object image = {.id = PFS_NODE_IMAGE, .table = note->table};
    struct pfs_object payload = {.id = PFS_NODE_PAYLOAD, .table = note->table};
    uint64_t page_size = ps_store_page_size(fs->store);

    if (!fs->opts->kernel_cache)
        return;
    forget_inode(fs, &image, note->first * page_size, note->count * page_size);
    forget_inode(fs, &payload, 0, 0);
}

static void tell(struct pfs *fs, const struct note *note)
{
    struct pfs_object page = {.id = PFS_NODE_PAGE, .table = note->table};

    for (uint64_t i = 0; i < note->count && i < PAGES_MAX; i++) {
        page.page = (uint32_t)(note->first + i);
        if (note->kind == PS_EVENT_PAGES_FREED)
            forget_name(fs, page.table, page.page);
        forget_inode(fs, &page, 0, 0);
    }
    forget_spaces(fs, note);
}

static void say_ended(struct pfs_notify *n)
{
    int failed = eventfd_write(n->ended_fd, 1);

    assert(!failed); /* a counter that is written once cannot overflow */
    (void)failed;
}

static void *run(void *arg)
{
    struct pfs_notify *n = arg;
    struct note note;

    pthread_mutex_lock(&n->mtx);
    while (!n->stop) {
        if (n->len == 0) {
            pthread_cond_wait(&n->wake, &n->mtx);
            continue;
        }
        note = n->queue[n->head];
        n->head = (n->head + 1) % QUEUE_MAX;
        n->len--;
        pthread_mutex_unlock(&n->mtx);
        tell(n->fs, &note);
        pthread_mutex_lock(&n->mtx);
    }
    pthread_mutex_unlock(&n->mtx);
    say_ended(n);
    return NULL;
}

/* --- the queue ---------------------------------------------------------------------------- */

static _Atomic uint64_t *shown_word(struct pfs_notify *n, uint32_t table, uint64_t page,
                                    uint64_t *ret_bit)
{
    uint64_t no = (table * 40503ull + page) % SHOWN_BITS;

    *ret_bit = 1ull << (no % 64);
    return &n->shown[no / 64];
}

void pfs_notify_shown(struct pfs_notify *n, uint32_t table, uint32_t page)
{
    uint64_t bit;
    _Atomic uint64_t *word = shown_word(n, table, page, &bit);

    if (!(atomic_load_explicit(word, memory_order_relaxed) & bit))
        atomic_fetch_or(word, bit);
}

/* Was any of the pages shown since they changed last? They count as not shown from now on. */
static bool take_shown(struct pfs_notify *n, const struct ps_event *event)
{
    bool any = false;

    for (uint64_t i = 0; i < event->count; i++) {
        uint64_t bit;
        _Atomic uint64_t *word = shown_word(n, event->table, event->first + i, &bit);

        if (atomic_load_explicit(word, memory_order_relaxed) & bit)
            any |= (atomic_fetch_and(word, ~bit) & bit) != 0;
    }
    return any;
}

static bool worth_telling(struct pfs_notify *n, const struct ps_event *event)
{
    switch (event->kind) {
    case PS_EVENT_PAGES_FREED:
    case PS_EVENT_PAGES_CHANGED:
        break;
    case PS_EVENT_PAGES_CREATED:
        return n->fs->opts->kernel_cache; /* no name is remembered as not being there */
    case PS_EVENT_TABLE_CREATED:
    case PS_EVENT_TABLE_DROPPED:
    case PS_EVENT_TABLE_RENAMED:
    case PS_EVENT_POISONED:
        return false; /* tables change by requests only, of which the kernel knows */
    }
    if (n->fs->opts->kernel_cache)
        return true;
    if (event->count == 1 && event->table == own_table && event->first == own_page)
        return false;
    return event->kind == PS_EVENT_PAGES_FREED ||
           (event->count <= PAGES_MAX_CHANGED && take_shown(n, event));
}

/* Two writes in a row to one place are one note. */
static bool is_last(const struct pfs_notify *n, const struct note *note)
{
    const struct note *last = &n->queue[(n->head + n->len + QUEUE_MAX - 1) % QUEUE_MAX];

    return n->len > 0 && last->kind == note->kind && last->table == note->table &&
           last->first == note->first && last->count == note->count;
}

void pfs_notify_add(struct pfs_notify *n, const struct ps_event *event)
{
    struct note note = {event->kind, event->table, event->first, event->count};

    if (!worth_telling(n, event))
        return;
    pthread_mutex_lock(&n->mtx);
    if (!is_last(n, &note) && n->len < QUEUE_MAX) {
        n->queue[(n->head + n->len) % QUEUE_MAX] = note;
        n->len++;
        pthread_cond_signal(&n->wake);
    }
    pthread_mutex_unlock(&n->mtx);
}

ps_err pfs_notify_create(struct pfs *fs, struct pfs_notify **ret)
{
    struct pfs_notify *n = calloc(1, sizeof(*n));

    if (!n)
        return ps_fail(PS_ERR_NOMEM, "no memory for the queue of notifications");
    n->fs = fs;
    n->ended_fd = eventfd(0, EFD_CLOEXEC);
    if (n->ended_fd < 0) {
        free(n);
        return ps_fail_errno(errno, "making the notifier's eventfd");
    }
    pthread_mutex_init(&n->mtx, NULL);
    pthread_cond_init(&n->wake, NULL);
    *ret = n;
    return PS_OK;
}

ps_err pfs_notify_start(struct pfs_notify *n)
{
    int err = ps_thread_start(&n->thread, run, n);

    if (err)
        return ps_fail_errno(err, "starting the notifier's thread");
    n->started = true;
    return PS_OK;
}

int pfs_notify_stop(struct pfs_notify *n)
{
    pthread_mutex_lock(&n->mtx);
    n->stop = true;
    pthread_cond_signal(&n->wake);
    pthread_mutex_unlock(&n->mtx);
    if (!n->started)
        say_ended(n);
    return n->ended_fd;
}

void pfs_notify_destroy(struct pfs_notify *n)
{
    if (!n)
        return;
    if (n->started)
        pthread_join(n->thread, NULL);
    pthread_cond_destroy(&n->wake);
    pthread_mutex_destroy(&n->mtx);
    close(n->ended_fd);
    free(n);
}
