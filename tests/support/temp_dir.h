/*
 * temp_dir.h - a folder for one test, below ${TMPDIR:-/tmp}, removed with all that is in it: when
 * told, or when the test's process is gone, however it ended.
 */
#ifndef TEMP_DIR_H
#define TEMP_DIR_H

#define TEMP_DIR_LEN 256

/* Makes the folder; path receives its name. Aborts when it cannot. */
void temp_dir_make(char path[TEMP_DIR_LEN]);
/* Of what temp_dir_make() made. */
void temp_dir_remove(const char *path);

#endif
