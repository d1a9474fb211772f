/* A test's folder goes when its test ends, however that ends. */
#include "temp_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_gone(const char *path)
{
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(errno, ENOENT);
}

static void make_file(const char *folder)
{
    char name[2 * TEMP_DIR_LEN + 8];
    int fd;

    snprintf(name, sizeof(name), "%s/file", folder);
    fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

/* Makes two folders, tells where, and does not end. */
static _Noreturn void be_a_test(int tell)
{
    char paths[2][TEMP_DIR_LEN] = {{0}};

    for (unsigned i = 0; i < 2; i++) {
        temp_dir_make(paths[i]);
        make_file(paths[i]);
    }
    if (setpgid(0, 0) != 0 || write(tell, paths, sizeof(paths)) != (ssize_t)sizeof(paths))
        _exit(1);
    for (;;)
        pause();
}

/* Returns when the folder that is watched is gone. */
static void wait_until_gone(int watch)
{
    struct inotify_event event;

    assert_int_equal(read(watch, &event, sizeof(event)), sizeof(event));
    assert_int_equal(event.mask, IN_DELETE_SELF);
}

static void folders_go_when_the_process_group_is_killed(void **state)
{
    char paths[2][TEMP_DIR_LEN];
    int tell[2], watches[2];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(tell), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_a_test(tell[1]);
    close(tell[1]);
    assert_int_equal(read(tell[0], paths, sizeof(paths)), sizeof(paths));
    for (unsigned i = 0; i < 2; i++) {
        watches[i] = inotify_init1(IN_CLOEXEC);
        assert_true(inotify_add_watch(watches[i], paths[i], IN_DELETE_SELF) >= 0);
    }
    assert_int_equal(kill(-pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    for (unsigned i = 0; i < 2; i++) {
        wait_until_gone(watches[i]);
        expect_gone(paths[i]);
        close(watches[i]);
    }
    close(tell[0]);
}

static void a_folder_goes_at_once_when_it_is_removed(void **state)
{
    char first[TEMP_DIR_LEN], second[TEMP_DIR_LEN];

    (void)state;
    temp_dir_make(first);
    temp_dir_make(second);
    make_file(first);
    temp_dir_remove(first);
    expect_gone(first);
    assert_int_equal(access(second, F_OK), 0);
    temp_dir_remove(second);
    expect_gone(second);
}

static void locks_that_a_test_has_are_let_go_with_its_files(void **state)
{
    char folder[TEMP_DIR_LEN], later[TEMP_DIR_LEN];
    int fd;

    (void)state;
    temp_dir_make(folder);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    temp_dir_make(later);
    assert_int_equal(close(fd), 0);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(close(fd), 0);
    temp_dir_remove(later);
    temp_dir_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_go_when_the_process_group_is_killed),
        cmocka_unit_test(a_folder_goes_at_once_when_it_is_removed),
        cmocka_unit_test(locks_that_a_test_has_are_let_go_with_its_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
