/*
 * The table of a decision maker that runs on this machine, or of a scheduler that serves its own (`gthulhu-scx run --table
 * SOCKET`): `lookup PID [SOCKET]` prints the strategy of a process. Whoever schedules does the same for each task that is
 * about to run, by the inline gthulhu_view_lookup.
 */
#include <gthulhu.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* When a process started, in clock ticks after boot: field 22 of its stat file. 0 if there is none. */
static unsigned long long start_of(unsigned pid) {
    char path[64], line[1024], *field;
    unsigned long long start = 0;
    int number;
    FILE *stat;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    stat = fopen(path, "r");
    if (!stat)
        return 0;
    /* The name, in parentheses, may hold anything: fields are counted from its end. */
    if (fgets(line, sizeof line, stat) && (field = strrchr(line, ')'))) {
        for (number = 2; field && number < 22; number++)
            field = strchr(field + 1, ' ');
        if (field)
            start = strtoull(field, NULL, 10);
    }
    fclose(stat);
    return start;
}

int main(int argc, char **argv) {
    struct gthulhu_error error;
    struct gthulhu_table *table;
    struct gthulhu_view view;
    uint64_t word;
    unsigned pid;
    int found;
    if (argc < 2) {
        fprintf(stderr, "usage: %s PID [SOCKET]\n", argv[0]);
        return 64;
    }
    pid = (unsigned)strtoul(argv[1], NULL, 10);
    table = gthulhu_table_connect(argc > 2 ? argv[2] : NULL, &error);
    if (!table || gthulhu_table_view(table, &view) != GTHULHU_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
        gthulhu_table_free(table);
        return 1;
    }
    word = gthulhu_view_lookup(&view, pid);
    found = gthulhu_word_present(word) && gthulhu_word_is_of(word, start_of(pid));
    if (found)
        printf("%u: priority %u, slice %u ns\n", pid, gthulhu_word_priority(word), gthulhu_word_slice_ns(word));
    else
        printf("%u: no strategy\n", pid);
    gthulhu_table_free(table);
    return found ? 0 : 2;
}
