/*
 * Intents in, PIDs out: `resolve INTENTS.json [PROC]` prints each task of this machine (or of the proc file system PROC)
 * that one of the intents gives a strategy, and all of them again whenever that changes. With PROC it looks once.
 */
#include <gthulhu.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* All bytes of a file, or NULL. */
static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size;
    if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        *length = (size_t)size;
        text = malloc(*length + 1);
        if (text && fread(text, 1, *length, file) != *length) {
            free(text);
            text = NULL;
        }
    }
    if (file)
        fclose(file);
    return text;
}

/* Prints all rows, however many there are by then. */
static uint32_t print_rows(struct gthulhu_engine *engine, struct gthulhu_error *error) {
    struct gthulhu_row *rows = NULL;
    size_t capacity = 0, count = 0, i;
    uint32_t code;
    while ((code = gthulhu_engine_rows(engine, rows, capacity, &count, error)) == GTHULHU_SHORT_BUFFER) {
        struct gthulhu_row *more = realloc(rows, count * sizeof *rows);
        if (!more)
            break;
        rows = more;
        capacity = count;
    }
    for (i = 0; code == GTHULHU_OK && i < count; i++)
        printf("%u (of %u): priority %u, slice %u ns\n", rows[i].tid, rows[i].tgid, rows[i].priority, rows[i].slice_ns);
    fflush(stdout);
    free(rows);
    return code;
}

int main(int argc, char **argv) {
    struct gthulhu_error error;
    struct gthulhu_engine *engine;
    struct gthulhu_table *table;
    uint64_t shown;
    uint32_t code = GTHULHU_OK;
    size_t length = 0;
    char *intents;
    if (argc < 2) {
        fprintf(stderr, "usage: %s INTENTS.json [PROC]\n", argv[0]);
        return 64;
    }
    intents = read_file(argv[1], &length);
    if (!intents) {
        perror(argv[1]);
        return 66;
    }
    engine = gthulhu_engine_new(argc > 2 ? argv[2] : NULL, 0, &error);
    if (!engine || gthulhu_engine_apply(engine, intents, length, &error) != GTHULHU_OK ||
        print_rows(engine, &error) != GTHULHU_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
        gthulhu_engine_free(engine);
        free(intents);
        return 1;
    }
    free(intents);
    table = gthulhu_engine_table(engine, &error);
    shown = gthulhu_table_generation(table);
    while (table && argc < 3 && (code = gthulhu_engine_refresh(engine, &error)) == GTHULHU_OK) {
        if (gthulhu_table_generation(table) != shown) {
            shown = gthulhu_table_generation(table);
            printf("-- generation %llu\n", (unsigned long long)shown);
            if ((code = print_rows(engine, &error)) != GTHULHU_OK)
                break;
        }
        sleep(1);
    }
    if (!table || code != GTHULHU_OK)
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
    gthulhu_table_free(table);
    gthulhu_engine_free(engine);
    return table && code == GTHULHU_OK ? 0 : 1;
}
