/* The corpus' folder goes when its test ends, however that ends. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "corpus.h"

/* A test that unpacks the corpus, tells where, and does not end. */
_Noreturn static void be_a_test(int tell)
{
    void *state = NULL;
    const struct corpus *c;

    if (setpgid(0, 0) != 0 || corpus_setup(&state) != 0)
        _exit(1);
    c = state;
    if (write(tell, c->tmp, sizeof(c->tmp)) != (ssize_t)sizeof(c->tmp))
        _exit(1);
    for (;;)
        pause();
}

static void the_folder_goes_when_the_group_is_killed(void **state)
{
    struct corpus c;
    int tell[2];
    char byte;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(tell), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_a_test(tell[1]);
    close(tell[1]);
    assert_int_equal(read(tell[0], c.tmp, sizeof(c.tmp)), sizeof(c.tmp));
    assert_int_equal(access(c.tmp, F_OK), 0);
    assert_int_equal(kill(-pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(read(tell[0], &byte, 1), 0); /* all that had the other end are gone */
    assert_int_equal(access(c.tmp, F_OK), -1);
    assert_int_equal(errno, ENOENT);
    close(tell[0]);
}

static void the_folder_goes_with_the_teardown(void **state)
{
    void *own = NULL;
    char tmp[sizeof(((struct corpus *)0)->tmp)];
    const struct corpus *c;

    (void)state;
    assert_int_equal(corpus_setup(&own), 0);
    c = own;
    memcpy(tmp, c->tmp, sizeof(tmp));
    assert_int_equal(access(tmp, F_OK), 0);
    assert_int_equal(corpus_teardown(&own), 0);
    assert_int_equal(access(tmp, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder_goes_when_the_group_is_killed),
        cmocka_unit_test(the_folder_goes_with_the_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
