#include "base/thread.h"

#include <signal.h>

int ps_thread_start(pthread_t *ret, void *(*run)(void *arg), void *arg)
{
    sigset_t others, before;
    int rc;

    sigfillset(&others);
    sigdelset(&others, SIGBUS); /* a page of a mapped file that cannot be read */
    sigdelset(&others, SIGFPE);
    sigdelset(&others, SIGILL);
    sigdelset(&others, SIGSEGV);
    pthread_sigmask(SIG_SETMASK, &others, &before);
    rc = pthread_create(ret, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}
