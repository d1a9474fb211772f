/*
 * sim_disk_private.h - the simulated disk's state, shared by the sim_disk*.c files.
 */
#ifndef SIM_DISK_PRIVATE_H
#define SIM_DISK_PRIVATE_H

#include "base/lock.h"
#include "sim_disk.h"
#include "sim_disk_bytes.h"

#define SIM_PATH_LEN 128
#define SIM_ARMED_MAX 32
#define SIM_WALL_START_US 1577836800000000u /* 2020-01-01, so that times look like times */

/* One operation on a file that no sync has covered. Never changed, shared between clones. */
struct sim_change {
    _Atomic unsigned refs;
    enum sim_op_kind kind;
    bool durable; /* a PS_IO_WRITE_DURABLE that came after unsynced operations */
    uint64_t off;
    uint64_t len;
    unsigned char data[]; /* of writes */
};

struct sim_node {
    bool folder;
    unsigned open_count;
    uint64_t mtime_us;
    struct sim_bytes now;     /* as the engine reads it */
    struct sim_bytes durable; /* what survives if nothing else does */
    struct sim_change **changes;
    size_t change_count;
    size_t change_cap;
    const void *locked_by; /* the open file that has it alone, or NULL */
    unsigned sharers;      /* open files that share its lock */
};

/* Names refer to nodes by index, so that clones can copy them as they are. */
struct sim_name {
    char path[SIM_PATH_LEN];
    uint32_t node;
};

struct sim_names { /* sorted by path */
    struct sim_name *v;
    size_t count;
    size_t cap;
};

/* A folder's operation that no sync_dir has covered. */
struct sim_dir_change {
    enum sim_op_kind kind; /* CREATE, MKDIR, RENAME, UNLINK */
    char path[SIM_PATH_LEN];
    char to[SIM_PATH_LEN]; /* of RENAME */
    uint32_t node;
};

struct sim_armed {
    enum sim_op_kind kind;
    uint64_t after;
    enum sim_fault fault;
};

struct sim_disk {
    struct ps_io io;         /* first */
    struct ps_mutex mtx;     /* rank IO; guards all below */
    struct sim_node **nodes; /* NULL: free slot */
    size_t node_count;
    size_t node_cap;
    struct sim_names now;
    struct sim_names durable;
    struct sim_dir_change *dir_changes;
    size_t dir_change_count;
    size_t dir_change_cap;
    uint64_t rng;
    _Atomic uint64_t clock_us; /* this and the next are read without mtx */
    _Atomic bool real_clock;
    uint64_t epoch; /* raised by a crash; open files of an older one are dead */
    uint64_t capacity;
    uint32_t files_max;
    uint64_t ops;
    uint64_t kind_counts[SIM_OP_KINDS];
    uint64_t cut_at;
    bool cut;
    struct sim_armed armed[SIM_ARMED_MAX];
    size_t armed_count;
    sim_hook *hook;
    void *hook_ctx;
};

/* What becomes of an operation, once cut, faults and hook have been asked. */
enum sim_verdict {
    SIM_GO,
    SIM_GO_THEN_FAIL, /* the power goes while it is under way: unsynced, and an error */
    SIM_LOSE,
    SIM_DROP_UNSYNCED,
    SIM_FAIL_EIO,
    SIM_FAIL_ENOSPC,
    SIM_FAIL_POWER_OFF,
};

extern const struct ps_io_ops sim_ops;

uint64_t sim_random(uint64_t *state); /* splitmix64 */
_Noreturn void sim_misuse(const char *path, const char *what);

uint64_t sim_clock_us(const struct sim_disk *disk);

/* Counts the operation and decides what becomes of it. Lets go of the mutex while a hook runs. */
enum sim_verdict sim_op_begin(struct sim_disk *disk, struct sim_op op);
bool sim_goes(enum sim_verdict v);
int sim_verdict_errno(enum sim_verdict v); /* 0: the operation reports success */
/* The result of an operation that is not a request of a batch. */
ps_err sim_verdict_err(enum sim_verdict v, const char *what, const char *path);

uint32_t sim_node_new(struct sim_disk *disk, bool folder);
struct sim_node *sim_node_of(struct sim_disk *disk, uint32_t node);
void sim_node_free(struct sim_disk *disk, uint32_t node);
void sim_node_forget_changes(struct sim_node *node);
/* Frees nodes that no name, unsynced operation or open file leads to. */
void sim_collect(struct sim_disk *disk);

/* The name's index; where it is not there, *ret_found is false and the index is its place. */
size_t sim_names_find(const struct sim_names *names, const char *path, bool *ret_found);
void sim_names_remove(struct sim_names *names, const char *path);
void sim_names_copy(struct sim_names *to, const struct sim_names *from);

/* The folder that holds path: "." or what stands before the last slash. */
void sim_folder_of(const char *path, char folder[SIM_PATH_LEN]);
bool sim_folder_is_there(const struct sim_disk *disk, const char *folder);
bool sim_parent_is_there(const struct sim_disk *disk, const char *path);

/* Does a folder's operation, and remembers it until the folder is synced. */
void sim_dir_change_add(struct sim_disk *disk, enum sim_op_kind kind, const char *path,
                        const char *to, uint32_t node);
void sim_dir_change_apply(struct sim_names *names, const struct sim_dir_change *change);
/* Removes the marked ones; mark has a flag for each. */
void sim_dir_changes_drop(struct sim_disk *disk, const bool *mark);

#endif
