/*
 * io_posix_batch.c - several requests side by side.
 *
 * Direct reads and writes go through a ring (io_posix_ring.c). Other requests that have a device
 * to wait for are blocking system calls, so a batch is spread over threads: the caller works on
 * its own batch, helpers take what it has not begun yet. A failed request leaves only numbers
 * behind; its message is made on the caller's thread at the end.
 */
#include "io/io_posix.h"

#include <assert.h>
#include <string.h>

#include "base/thread.h"

/* Rough microseconds, as measured on NVMe: what a call waits for, and what a helper costs. */
#define FLUSH_COST_US 100
#define DIRECT_COST_US 60
#define DIRECT_BYTES_PER_US 1500
#define CACHED_BYTES_PER_US 4000
#define HELP_COST_US 60

struct ps_posix_batch {
    struct ps_io_req *reqs;
    size_t count;
    size_t next;    /* first request nobody took */
    size_t running; /* taken, not done */
    struct ps_cond done;
    struct ps_posix_batch *following;
};

static uint64_t req_cost_us(const struct ps_io_req *req)
{
    const struct ps_posix_file *f = (const struct ps_posix_file *)req->file;
    uint64_t len = ps_io_req_len(req);

    if (req->op == PS_IO_SYNC)
        return FLUSH_COST_US;
    if (req->op == PS_IO_WRITE_DURABLE)
        return FLUSH_COST_US + len / DIRECT_BYTES_PER_US;
    if (f->direct)
        return DIRECT_COST_US + len / DIRECT_BYTES_PER_US;
    return len / CACHED_BYTES_PER_US;
}

/* How many helpers the batch is worth: each must save more than waking it costs. */
static unsigned helpers_wanted(const struct ps_io_req *reqs, size_t count)
{
    uint64_t cost_us = 0;
    uint64_t wanted;

    if (count < 2)
        return 0;
    for (size_t i = 0; i < count; i++)
        cost_us += req_cost_us(&reqs[i]);
    wanted = cost_us / HELP_COST_US;
    wanted = wanted > 0 ? wanted - 1 : 0; /* the caller's own share */
    if (wanted > count - 1)
        wanted = count - 1;
    return wanted < PS_POSIX_WORKERS_MAX ? (unsigned)wanted : PS_POSIX_WORKERS_MAX;
}

/* Takes the batch's next request; the last one takes the batch off the list. */
static struct ps_io_req *batch_take(struct ps_posix_workers *w, struct ps_posix_batch *batch)
{
    struct ps_posix_batch **link = &w->head;

    ps_assert_held(&w->mtx);
    assert(batch->next < batch->count);
    batch->running++;
    if (batch->next + 1 == batch->count) {
        while (*link != batch)
            link = &(*link)->following;
        *link = batch->following;
        if (w->tail == &batch->following)
            w->tail = link;
    }
    return &batch->reqs[batch->next++];
}

/* Runs one request of the batch with the mutex let go meanwhile. */
static void batch_step(struct ps_posix_workers *w, struct ps_posix_batch *batch)
{
    struct ps_io_req *req = batch_take(w, batch);

    ps_mutex_unlock(&w->mtx);
    ps_posix_req_run(req);
    ps_mutex_lock(&w->mtx);
    batch->running--;
    if (batch->running == 0 && batch->next == batch->count)
        ps_cond_signal(&batch->done); /* under the mutex: the batch is gone right after it */
}

static void *worker(void *arg)
{
    struct ps_posix_workers *w = arg;

    ps_mutex_lock(&w->mtx);
    while (!w->stop) {
        if (!w->head) {
            ps_cond_wait(&w->work, &w->mtx);
            continue;
        }
        w->busy_count++;
        batch_step(w, w->head);
        w->busy_count--;
    }
    ps_mutex_unlock(&w->mtx);
    return NULL;
}

/* Without a new thread the batch still ends, only later. */
static void worker_start(struct ps_posix_workers *w)
{
    ps_assert_held(&w->mtx);
    if (ps_thread_start(&w->threads[w->thread_count], worker, w) == 0)
        w->thread_count++;
}

static void run_helped(struct ps_posix_workers *w, struct ps_io_req *reqs, size_t count,
                       unsigned helpers)
{
    struct ps_posix_batch batch = {.reqs = reqs, .count = count};

    ps_cond_init(&batch.done);
    ps_mutex_lock(&w->mtx);
    *w->tail = &batch;
    w->tail = &batch.following;
    for (unsigned i = w->thread_count - w->busy_count;
         i < helpers && w->thread_count < PS_POSIX_WORKERS_MAX; i++)
        worker_start(w);
    for (unsigned i = 0; i < helpers; i++)
        ps_cond_signal(&w->work);

    while (batch.next < batch.count)
        batch_step(w, &batch);
    while (batch.running > 0)
        ps_cond_wait(&batch.done, &w->mtx);
    ps_mutex_unlock(&w->mtx);
    ps_cond_deinit(&batch.done);
}

/* Measured, rings are better than threads where the device moves the bytes: not for the page cache,
 * where the kernel copies on a thread of its own, nor for syncs, which are threads in the kernel,
 * too. */
static bool suits_ring(const struct ps_io_req *reqs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct ps_posix_file *f = (const struct ps_posix_file *)reqs[i].file;

        if (reqs[i].op == PS_IO_SYNC || !f->direct)
            return false;
    }
    return true;
}

static void run_plainly(struct ps_io_req *reqs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ps_posix_req_run(&reqs[i]);
}

ps_err ps_posix_run(struct ps_io *io, struct ps_io_req *reqs, size_t count)
{
    struct ps_posix_io *p = (struct ps_posix_io *)io;
    unsigned helpers = helpers_wanted(reqs, count);

    if (helpers == 0)
        run_plainly(reqs, count);
    else if (!suits_ring(reqs, count) || !ps_posix_ring_run(p, reqs, count))
        run_helped(&p->workers, reqs, count, helpers);
    for (size_t i = 0; i < count; i++) {
        if (reqs[i].err)
            return ps_io_req_fail(&reqs[i]);
    }
    return PS_OK;
}

void ps_posix_workers_init(struct ps_posix_workers *w)
{
    memset(w, 0, sizeof(*w));
    ps_mutex_init(&w->mtx, PS_RANK_IO, "io.workers_mtx");
    ps_cond_init(&w->work);
    w->tail = &w->head;
}

void ps_posix_workers_deinit(struct ps_posix_workers *w)
{
    ps_mutex_lock(&w->mtx);
    assert(!w->head);
    w->stop = true;
    ps_cond_broadcast(&w->work);
    ps_mutex_unlock(&w->mtx);
    for (unsigned i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    ps_cond_deinit(&w->work);
    ps_mutex_deinit(&w->mtx);
}
