/*
 * test_io_names.c - real files by their names: opened, listed, renamed, removed, locked.
 */
#include "io_bed.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void open_flags_do_what_they_say(void **state)
{
    struct fixture *f = *state;
    struct ps_io *io = io_or_skip(f);
    struct ps_io_file *file = NULL;

    assert_int_equal(io->ops->open(io, "a", 0, &file), PS_ERR_NOENT);
    assert_string_equal(ps_message(), "cannot open a: No such file or directory");
    ps_io_close(open_file(f, "a", PS_IO_CREATE | PS_IO_EXCL));
    assert_int_equal(io->ops->open(io, "a", PS_IO_CREATE | PS_IO_EXCL, &file), PS_ERR_EXIST);
    assert_string_equal(ps_message(), "cannot create a: File exists");
    ps_io_close(open_file(f, "a", PS_IO_CREATE));
    assert_int_equal(io->ops->open(io, "no/a", PS_IO_CREATE, &file), PS_ERR_NOENT);
    assert_null(file);
}

static void links_and_other_things_are_not_opened(void **state)
{
    struct fixture *f = *state;
    struct ps_io *io = io_or_skip(f);
    struct ps_io_file *file = NULL;
    char path[PATH_MAX];

    path_below(f, "link", path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    path_below(f, "dirlink", path);
    assert_int_equal(symlink("/etc", path), 0);
    path_below(f, "fifo", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(io->ops->mkdir(io, "dir"), PS_OK);

    assert_int_equal(io->ops->open(io, "link", 0, &file), PS_ERR_IO);
    assert_string_equal(ps_message(), "cannot open link: a symbolic link, which is not followed");
    assert_int_equal(io->ops->open(io, "dirlink/passwd", PS_IO_RDONLY, &file), PS_ERR_IO);
    assert_int_equal(io->ops->open(io, "fifo", 0, &file), PS_ERR_IO);
    assert_string_equal(ps_message(), "cannot open fifo: not a regular file");
    assert_int_equal(io->ops->open(io, "dir", PS_IO_RDONLY, &file), PS_ERR_IO);
    assert_int_equal(io->ops->unlink(io, "dirlink/passwd"), PS_ERR_IO);
    assert_null(file);
}

static void paths_out_of_the_root_are_refused(void **state)
{
    static const char *const paths[] = {"..", "../a", "d/../a", "d/..", "/etc/passwd", ""};
    struct fixture *f = *state;
    struct ps_io *io = io_or_skip(f);
    struct ps_io_file *file = NULL;

    assert_int_equal(io->ops->mkdir(io, "d"), PS_OK);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        assert_int_equal(io->ops->open(io, paths[i], PS_IO_CREATE, &file), PS_ERR_IO);
    ps_io_close(open_file(f, "d/..a", PS_IO_CREATE)); /* an odd name, not a way out */
    assert_null(file);
}

struct seen_names {
    size_t count;
    char all[256];
};

static ps_err note_name(void *ctx, const char *name)
{
    struct seen_names *seen = ctx;
    size_t len = strlen(seen->all);

    seen->count++;
    snprintf(seen->all + len, sizeof(seen->all) - len, "%s ", name);
    return PS_OK;
}

static ps_err refuse_name(void *ctx, const char *name)
{
    (*(int *)ctx)++;
    return ps_fail(PS_ERR_INVAL, "not %s", name);
}

static void folders_are_made_listed_and_synced(void **state)
{
    struct fixture *f = *state;
    struct ps_io *io = io_or_skip(f);
    struct seen_names seen = {0};
    int calls = 0;

    assert_int_equal(io->ops->mkdir(io, "d"), PS_OK);
    assert_int_equal(io->ops->mkdir(io, "d"), PS_ERR_EXIST);
    assert_int_equal(io->ops->mkdir(io, "no/e"), PS_ERR_NOENT);
    ps_io_close(open_file(f, "d/a", PS_IO_CREATE));
    ps_io_close(open_file(f, "d/b", PS_IO_CREATE));
    assert_int_equal(io->ops->sync_dir(io, "d"), PS_OK);
    assert_int_equal(io->ops->sync_dir(io, "."), PS_OK);
    assert_int_equal(io->ops->sync_dir(io, "no"), PS_ERR_NOENT);
    assert_int_equal(io->ops->list(io, "d", note_name, &seen), PS_OK);
    assert_int_equal(seen.count, 2);
    assert_non_null(strstr(seen.all, "a "));
    assert_non_null(strstr(seen.all, "b "));
    assert_int_equal(io->ops->list(io, "d", refuse_name, &calls), PS_ERR_INVAL);
    assert_int_equal(calls, 1);
    assert_int_equal(io->ops->list(io, "no", note_name, &seen), PS_ERR_NOENT);
}

static void files_are_renamed_and_removed(void **state)
{
    struct fixture *f = *state;
    struct ps_io *io = io_or_skip(f);
    struct ps_io_file *file = NULL;

    assert_int_equal(io->ops->mkdir(io, "d"), PS_OK);
    ps_io_close(open_file(f, "d/a", PS_IO_CREATE));
    assert_int_equal(io->ops->rename(io, "d/a", "b"), PS_OK);
    assert_int_equal(io->ops->open(io, "d/a", 0, &file), PS_ERR_NOENT);
    ps_io_close(open_file(f, "b", 0));
    assert_int_equal(io->ops->rename(io, "no", "c"), PS_ERR_NOENT);
    assert_string_equal(ps_message(), "cannot rename no to c: No such file or directory");
    assert_int_equal(io->ops->rename(io, "b", "no/c"), PS_ERR_NOENT);
    assert_int_equal(io->ops->rename(io, "no/b", "c"), PS_ERR_NOENT);
    assert_int_equal(io->ops->unlink(io, "b"), PS_OK);
    assert_int_equal(io->ops->unlink(io, "b"), PS_ERR_NOENT);
    assert_string_equal(ps_message(), "cannot remove b: No such file or directory");
}

static void lock_excludes_a_second_opening_until_close(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *a = open_file(f, "lock", PS_IO_CREATE | PS_IO_BUFFERED);
    struct ps_io_file *b = open_file(f, "lock", PS_IO_BUFFERED);

    assert_int_equal(a->io->ops->lock(a, false), PS_OK);
    assert_int_equal(a->io->ops->lock(b, false), PS_ERR_IN_USE);
    assert_string_equal(ps_message(), "lock is locked by another process");
    ps_io_close(a);
    assert_int_equal(b->io->ops->lock(b, false), PS_OK);
    ps_io_close(b);
}

static void shared_lock_excludes_only_those_who_want_it_alone(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *a = open_file(f, "lock", PS_IO_CREATE | PS_IO_BUFFERED);
    struct ps_io_file *b = open_file(f, "lock", PS_IO_BUFFERED | PS_IO_RDONLY);
    struct ps_io_file *c = open_file(f, "lock", PS_IO_BUFFERED);

    assert_int_equal(a->io->ops->lock(a, true), PS_OK);
    assert_int_equal(a->io->ops->lock(b, true), PS_OK);
    assert_int_equal(a->io->ops->lock(c, false), PS_ERR_IN_USE);
    ps_io_close(a);
    assert_int_equal(c->io->ops->lock(c, false), PS_ERR_IN_USE);
    ps_io_close(b);
    assert_int_equal(c->io->ops->lock(c, false), PS_OK);
    ps_io_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(open_flags_do_what_they_say),
        T(links_and_other_things_are_not_opened),
        T(paths_out_of_the_root_are_refused),
        T(folders_are_made_listed_and_synced),
        T(files_are_renamed_and_removed),
        T(lock_excludes_a_second_opening_until_close),
        T(shared_lock_excludes_only_those_who_want_it_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
