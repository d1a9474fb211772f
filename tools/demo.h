/*
 * demo.h - what the parts of storage_engine_demo share.
 *
 * Flow       demo.c picks a command. workload: options (demo_args.c) -> a store with one table
 *            (demo_store.c) -> accesses, made up (demo_profile.c) or read (demo_trace.c) -> the
 *            library (demo_run.c) -> results (demo_report.c) and frames (demo_state.c), which
 *            inspect-frame (demo_inspect.c) shows again.
 * Units      sizes are bytes, times nanoseconds unless a name says otherwise; pages and frames
 *            count from 0.
 * Ownership  strings of the configuration belong to the command line. What an open or read call
 *            fills in, the close or free call beside it takes back.
 * Locking    the threads of a workload share struct demo_run only.
 * Errors     a call that gives a status has said in one line on stderr, beginning with
 *            "storage_engine_demo", what is wrong.
 * Promise    one thread and one seed, on a new store, give the same accesses in the same order, and
 *            the same counters: background work is done at counted accesses, not by time.
 */
#ifndef DEMO_H
#define DEMO_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "pagestore/table.h"
#include "pool/pool.h"
#include "wal/wal.h"

#define DEMO_NAME "storage_engine_demo"

enum demo_status {
    DEMO_GO_ON = -1,
    DEMO_OK = 0,
    DEMO_FAILED = 1,
    DEMO_USAGE = 2,
    DEMO_INTERRUPTED = 130, /* as shells have it for SIGINT */
};

/* --- messages ----------------------------------------------------------------------------- */

int demo_error(const char *fmt, ...) PS_PRINTF(1, 2); /* DEMO_FAILED */
int demo_report_err(ps_err err); /* the library's message; DEMO_OK if there is no error */
int demo_flush(void);            /* stdout; says so if that fails */

/* --- options ------------------------------------------------------------------------------ */

enum demo_profile { DEMO_MIXED, DEMO_RANDOM, DEMO_SCAN };
enum demo_format { DEMO_TEXT, DEMO_JSON, DEMO_CSV };

#define DEMO_FRAMES_MIN 16u
#define DEMO_FRAMES_MAX (1u << 24)
#define DEMO_PAGES_MAX (1u << 24)
#define DEMO_THREADS_MAX 256u

struct demo_config {
    enum demo_profile profile;
    uint64_t ops, seed;
    uint64_t frames, pages, page_size, threads;
    uint64_t writes_percent;
    double skew;         /* of mixed: 0 uniform, towards 1 ever more skewed */
    uint64_t hold;       /* pages that a thread keeps pinned after it has read them */
    uint64_t sync_every; /* accesses from one data checkpoint to the next, 0: none */
    const char *policy, *io;
    const char *trace_in, *trace_out;
    const char *store; /* NULL: a temporary one */
    const char *state; /* NULL: demo_state_path */
    enum demo_format format;
    bool heatmap;
};

/* DEMO_GO_ON, or the status to exit with. */
int demo_parse_workload(int argc, char **argv, struct demo_config *ret);

struct demo_inspect_config {
    uint32_t frame;
    const char *mount, *state;
    bool all_columns;
};
int demo_parse_inspect(int argc, char **argv, struct demo_inspect_config *ret);

/* --- accesses ----------------------------------------------------------------------------- */

struct demo_access {
    uint32_t page;
    bool write;
};

/* What a profile's distribution has in common for all threads. */
struct demo_skew {
    uint64_t items;
    double theta, zeta_n, zeta_2, alpha, eta;
};
void demo_skew_init(struct demo_skew *skew, uint64_t items, double theta);
/* The rank for a u that is uniform in [0, 1): 0 is the most frequent one. */
uint64_t demo_skew_rank(const struct demo_skew *skew, double u);

/* One thread's endless sequence of accesses. */
struct demo_source {
    enum demo_profile profile;
    const struct demo_skew *skew;
    uint64_t random; /* state of the generator */
    uint32_t pages, next_page, writes_percent;
};
void demo_source_init(struct demo_source *s, const struct demo_config *config,
                      const struct demo_skew *skew, uint32_t thread);
void demo_source_next(struct demo_source *s, struct demo_access *ret);

struct demo_trace {
    struct demo_access *accesses;
    uint64_t count;
    uint32_t pages_end; /* highest page + 1 */
};
/* A line an access: "r PAGE" or "w PAGE"; empty lines and those that begin with # are skipped. */
int demo_trace_read(const char *path, struct demo_trace *ret);
void demo_trace_free(struct demo_trace *trace);
void demo_trace_write(FILE *file, const struct demo_access *access);

/* --- histograms --------------------------------------------------------------------------- */

/* Counts of values, in classes no wider than a 32nd of the value; the largest one is exact. */
#define DEMO_HIST_SUB_BITS 5
#define DEMO_HIST_CLASSES ((64 - DEMO_HIST_SUB_BITS + 1) << DEMO_HIST_SUB_BITS)
struct demo_hist {
    uint64_t count, max;
    uint64_t classes[DEMO_HIST_CLASSES];
};
void demo_hist_add(struct demo_hist *h, uint64_t value);
void demo_hist_merge(struct demo_hist *to, const struct demo_hist *from);
/* The value that this share of all values (0 to 1) does not exceed; 0 of an empty one. */
uint64_t demo_hist_at(const struct demo_hist *h, double share);

/* --- the store ---------------------------------------------------------------------------- */

struct demo_store {
    char path[PATH_MAX];
    bool temporary;
    struct ps_io *io;
    struct ps_store *store;
    struct ps_table *table;
};
/* Opens or makes the store, and makes its table anew: all pages written, none in the pool. */
int demo_store_open(const struct demo_config *config, struct demo_store *ret);
/* Closes the store, or removes it if it was temporary. The first failure counts. */
int demo_store_close(struct demo_store *d, int status);

/* Set by SIGINT, SIGTERM and SIGHUP: whatever takes long ends soon. */
extern atomic_bool demo_interrupted;

/* --- results ------------------------------------------------------------------------------ */

#define DEMO_SAMPLES 20u
#define DEMO_HEAT_CELLS 1024u

enum demo_latency { DEMO_READ, DEMO_WRITE, DEMO_MISS, DEMO_PIN, DEMO_LATENCIES };

/* The pool at a moment of the workload. */
struct demo_sample {
    uint64_t op;
    double dirty_percent; /* of all frames */
    uint32_t flush_queue; /* pages that wait to be written, or are being written */
};

struct demo_result {
    const struct demo_config *config;
    uint64_t ops, reads, writes, hits, misses, syncs;
    double seconds;
    struct demo_hist latencies[DEMO_LATENCIES];
    struct ps_pool_stats pool; /* the store was opened for the workload: all counters are its */
    struct ps_wal_stats wal;
    uint32_t sample_count;
    struct demo_sample samples[DEMO_SAMPLES];
    uint64_t heat[DEMO_HEAT_CELLS]; /* accesses by cell: the table in equal parts */
};

/* Runs the workload and, while all is as it left it, saves the frames. */
int demo_run(const struct demo_config *config, struct demo_store *store,
             const struct demo_trace *trace, struct demo_result *ret);
void demo_report(const struct demo_result *r);
/* How many cells a table has, the cell of a page, and the first page of a cell. */
static inline uint32_t demo_heat_cells(uint64_t pages)
{
    return pages < DEMO_HEAT_CELLS ? (uint32_t)pages : DEMO_HEAT_CELLS;
}
static inline uint32_t demo_heat_cell(uint64_t page, uint64_t pages)
{
    return (uint32_t)(page * demo_heat_cells(pages) / pages);
}
static inline uint64_t demo_heat_page(uint32_t cell, uint64_t pages)
{
    const uint32_t cells = demo_heat_cells(pages);

    return (cell * pages + cells - 1) / cells;
}

/* --- frames of the last workload ---------------------------------------------------------- */

/* A frame as text: its line of the state file, or of `frames` of a mount. */
struct demo_frame {
    char page[24], pin[24], dirty[24], usage[24], table[24], fork[24], lsn[24];
};

/* ${XDG_STATE_HOME:-~/.local/state}/pagefs/demo-frames */
int demo_state_path(char path[PATH_MAX]);
int demo_state_save(const struct demo_config *config, struct ps_pool *pool);
/* The frame's line of a file whose first line names its columns. DEMO_FAILED: no such file, or
 * frame, or not such a file; `hint` ends the message where there is no file. */
int demo_frame_find(const char *path, const char *hint, uint32_t frame, struct demo_frame *ret);

int demo_workload(int argc, char **argv);
int demo_inspect(int argc, char **argv);

#endif
