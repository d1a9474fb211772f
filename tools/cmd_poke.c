/*
 * pagectl poke STORE TABLE PAGE OFFSET HEX
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pagectl.h"
#include "pagestore/verify.h"

struct poke {
    const char *table;
    uint32_t page;
    uint32_t off; /* within the page */
    uint8_t *bytes, *old;
    size_t len;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "00ff" to bytes; poke->bytes has room for half of the text. */
static int parse_hex(const struct pc_command *cmd, const char *text, struct poke *poke)
{
    size_t digits = strlen(text);
    size_t i;

    if (digits == 0 || digits % 2 != 0)
        return pc_usage(cmd, "HEX must be an even number of hexadecimal digits");
    poke->len = digits / 2;
    for (i = 0; i < poke->len; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return pc_usage(cmd, "'%s' are no hexadecimal digits", text);
        poke->bytes[i] = (uint8_t)(high * 16 + low);
    }
    return PC_GO_ON;
}

static void print_hex(const uint8_t *bytes, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++)
        printf("%02x", bytes[i]);
}

/* Exchanges the bytes in the file, durably. */
static int change_file(const char *path, const struct poke *poke, uint64_t at)
{
    int status = PC_OK;
    struct stat st;
    int fd;

    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return pc_error("%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0)
        status = pc_error("%s: %s", path, strerror(errno));
    else if (at + poke->len > (uint64_t)st.st_size)
        status = pc_error("%s: ends at byte %lld, before page %" PRIu32 " does", path,
                          (long long)st.st_size, poke->page);
    else if (pread(fd, poke->old, poke->len, (off_t)at) != (ssize_t)poke->len ||
             pwrite(fd, poke->bytes, poke->len, (off_t)at) != (ssize_t)poke->len ||
             fdatasync(fd) != 0)
        status = pc_error("%s: %s", path, strerror(errno));
    close(fd);
    return status;
}

static int poke_locked(const struct pc_target *target, const struct poke *poke)
{
    struct ps_table_on_disk table;
    char path[PATH_MAX];
    int status, n;

    status = pc_report(ps_find_table_on_disk(target->store, poke->table, &table));
    if (status)
        return status;
    if (poke->off >= table.page_size || poke->len > table.page_size - poke->off)
        return pc_error("offset %" PRIu32 " and %zu bytes pass the page's end at %" PRIu32,
                        poke->off, poke->len, table.page_size);
    n = snprintf(path, sizeof(path), "%s/%s", target->store, table.file);
    if (n < 0 || (size_t)n >= sizeof(path))
        return pc_error("%s: path is too long", target->store);
    status = change_file(path, poke, (uint64_t)poke->page * table.page_size + poke->off);
    if (status)
        return status;
    printf("%s page %" PRIu32 " offset %" PRIu32 " was ", table.file, poke->page, poke->off);
    print_hex(poke->old, poke->len);
    printf(" now ");
    print_hex(poke->bytes, poke->len);
    putchar('\n');
    return pc_flush();
}

static int poke_target(const struct pc_target *target, const struct poke *poke)
{
    int status, lock_fd;

    if (pc_mounted(target))
        return pc_error_mounted(target, "unmount it to damage its files");
    status = pc_lock_files(target, true, &lock_fd);
    if (status)
        return status;
    status = poke_locked(target, poke);
    if (lock_fd >= 0)
        close(lock_fd);
    return status;
}

static int parse_poke(const struct pc_command *cmd, const char **words, struct poke *poke)
{
    uint64_t page = 0;
    uint64_t off = 0;
    int status;

    status = pc_number(cmd, "PAGE", words[2], UINT32_MAX - 1, &page);
    if (status == PC_GO_ON)
        status = pc_number(cmd, "OFFSET", words[3], PS_PAGE_SIZE_MAX - 1, &off);
    if (status == PC_GO_ON)
        status = parse_hex(cmd, words[4], poke);
    poke->table = words[1];
    poke->page = (uint32_t)page;
    poke->off = (uint32_t)off;
    return status;
}

static int run(const struct pc_command *cmd, int argc, char **argv)
{
    struct poke poke = {0};
    struct pc_target target;
    const char *words[5];
    size_t room;
    int status;

    status = pc_parse(cmd, argc, argv, NULL, 0, words);
    if (status != PC_GO_ON)
        return status;
    room = strlen(words[4]) / 2 + 1;
    poke.bytes = malloc(2 * room);
    if (!poke.bytes)
        return pc_error("out of memory");
    poke.old = poke.bytes + room;
    status = parse_poke(cmd, words, &poke);
    if (status == PC_GO_ON) {
        pc_target_find(words[0], &target);
        status = poke_target(&target, &poke);
    }
    free(poke.bytes);
    return status;
}

const struct pc_command pc_cmd_poke = {
    .name = "poke",
    .args = "STORE TABLE PAGE OFFSET HEX",
    .summary = "damage a page on purpose",
    .text =
        "Writes the bytes HEX at OFFSET of the page on disk, stamps nothing, and prints what was\n"
        "there before. The store must not be mounted; it may be one that was not closed cleanly.",
    .words_min = 5,
    .words_max = 5,
    .run = run,
};
