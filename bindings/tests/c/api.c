/*
 * Every function with what it should not be given: NULL, handles that were freed or never given out, buffers that are too
 * short, text that is no UTF-8; and from eight threads at once. `api PROC POD`: PROC is a proc file system in which process 42
 * of POD has started at tick 4200.
 */
#include <gthulhu.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition)) {                                                           \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                  \
        }                                                                             \
    } while (0)

static const char *proc_root;
static char intents[512];

static struct gthulhu_engine *odd_engine(uintptr_t bits) { return (struct gthulhu_engine *)bits; }
static struct gthulhu_table *odd_table(uintptr_t bits) { return (struct gthulhu_table *)bits; }

/* Every function that takes an engine, with one that is none. */
static void bad_engine(struct gthulhu_engine *engine, uint32_t expected) {
    struct gthulhu_error error;
    size_t count = 77;
    char text[16];
    CHECK(gthulhu_engine_apply(engine, "[]", 2, &error) == expected && error.code == expected);
    CHECK(gthulhu_engine_apply(engine, NULL, 5, NULL) == expected);
    CHECK(gthulhu_engine_refresh(engine, &error) == expected && error.text[0] != 0);
    CHECK(gthulhu_engine_rows(engine, NULL, 0, &count, &error) == expected && count == 77);
    CHECK(gthulhu_engine_explain(engine, 1, text, sizeof text, NULL, &error) == expected);
    CHECK(gthulhu_engine_table(engine, &error) == NULL && error.code == expected);
    CHECK(gthulhu_engine_free(engine) == expected);
}

static void bad_table(struct gthulhu_table *table, uint32_t expected) {
    struct gthulhu_view view;
    uint32_t pid = 42;
    uint64_t word = 7, generation = 7;
    CHECK(gthulhu_table_lookup(table, 42) == 0);
    CHECK(gthulhu_table_lookup_task(table, 42, 4200) == 0);
    CHECK(gthulhu_table_lookup_batch(table, &pid, &word, 1, &generation) == expected && word == 7 && generation == 7);
    CHECK(gthulhu_table_generation(table) == 0);
    CHECK(gthulhu_table_view(table, &view) == expected);
    CHECK(gthulhu_table_free(table) == expected);
}

static void texts(void) {
    uint32_t code;
    for (code = 0; code < 20; code++)
        CHECK(strlen(gthulhu_code_text(code)) > 3);
    CHECK(strchr(gthulhu_version(), '.') != NULL);
}

static void engines(void) {
    struct gthulhu_error error;
    struct gthulhu_engine *engine;
    struct gthulhu_row row[2];
    size_t count = 0, length = 0;
    char text[4096];
    engine = gthulhu_engine_new("/nowhere/at/all", 0, &error);
    CHECK(engine == NULL || gthulhu_engine_apply(engine, "[]", 2, &error) == GTHULHU_SYSTEM);
    CHECK(error.code == GTHULHU_SYSTEM && error.text[0] != 0);
    CHECK(engine == NULL || gthulhu_engine_free(engine) == GTHULHU_OK);
    CHECK(gthulhu_engine_new("\xff\xfe", 0, &error) == NULL && error.code == GTHULHU_NOT_UTF8);
    engine = gthulhu_engine_new(proc_root, 0, NULL);
    CHECK(engine != NULL);
    CHECK(gthulhu_engine_apply(engine, NULL, 3, &error) == GTHULHU_NULL);
    CHECK(gthulhu_engine_apply(engine, "[\xff]", 3, &error) == GTHULHU_NOT_UTF8);
    CHECK(gthulhu_engine_apply(engine, "[{]", 3, &error) == GTHULHU_NOT_JSON);
    CHECK(gthulhu_engine_apply(engine, "", 0, &error) == GTHULHU_NOT_JSON);
    CHECK(gthulhu_engine_apply(engine, "[{}]", 4, &error) == GTHULHU_REFUSED && strstr(error.text, "podID"));
    CHECK(gthulhu_engine_apply(engine, "[]", SIZE_MAX, &error) == GTHULHU_BAD_ARRAY);
    CHECK(gthulhu_engine_apply(engine, intents, strlen(intents), &error) == GTHULHU_OK && error.text[0] == 0);

    CHECK(gthulhu_engine_rows(engine, row, 2, NULL, &error) == GTHULHU_NULL);
    CHECK(gthulhu_engine_rows(engine, NULL, 2, &count, &error) == GTHULHU_NULL);
    CHECK(gthulhu_engine_rows(engine, NULL, 0, &count, &error) == GTHULHU_SHORT_BUFFER && count == 1);
    CHECK(gthulhu_engine_rows(engine, row, 2, &count, &error) == GTHULHU_OK && count == 1);
    CHECK(row[0].tid == 42 && row[0].tgid == 42 && row[0].start == 4200);
    CHECK(row[0].priority == 3 && row[0].slice_ns == 20000000);

    /* More room than there is, of which nobody has written to anything. */
    memset(row, 0, sizeof row);
    CHECK(gthulhu_engine_rows(engine, row, SIZE_MAX, &count, &error) == GTHULHU_OK && count == 1 && row[0].tid == 42);
    CHECK(row[1].tid == 0);
    CHECK(gthulhu_engine_explain(engine, 42, text, SIZE_MAX, &length, &error) == GTHULHU_OK && strlen(text) == length);

    CHECK(gthulhu_engine_explain(engine, 42, text, sizeof text, &length, &error) == GTHULHU_OK);
    CHECK(strlen(text) == length && text[0] == '{');
    CHECK(gthulhu_engine_explain(engine, 42, text, length, &length, &error) == GTHULHU_SHORT_BUFFER && text[0] == 0);
    CHECK(gthulhu_engine_explain(engine, 42, text, length + 1, NULL, &error) == GTHULHU_OK);
    CHECK(gthulhu_engine_explain(engine, 42, NULL, 0, &length, NULL) == GTHULHU_SHORT_BUFFER);
    CHECK(gthulhu_engine_explain(engine, 42, NULL, 9, &length, NULL) == GTHULHU_NULL);

    CHECK(gthulhu_engine_refresh(engine, &error) == GTHULHU_OK);
    CHECK(gthulhu_engine_free(engine) == GTHULHU_OK);
    bad_engine(engine, GTHULHU_BAD_HANDLE);
    bad_engine(NULL, GTHULHU_NULL);
    bad_engine(odd_engine(1), GTHULHU_BAD_HANDLE);
    bad_engine(odd_engine(UINTPTR_MAX), GTHULHU_BAD_HANDLE);
}

static void tables(void) {
    struct gthulhu_engine *engine = gthulhu_engine_new(proc_root, 0, NULL);
    struct gthulhu_table *table = gthulhu_engine_table(engine, NULL);
    struct gthulhu_error error;
    struct gthulhu_view view;
    uint32_t pids[3] = {42, 43, UINT32_MAX};
    uint64_t words[3], generation = 0, word;
    int pipes[2];
    CHECK(table != NULL && gthulhu_table_generation(table) == 0 && gthulhu_table_lookup(table, 42) == 0);
    CHECK(gthulhu_engine_apply(engine, intents, strlen(intents), NULL) == GTHULHU_OK);
    /* The table outlives its engine. */
    CHECK(gthulhu_engine_free(engine) == GTHULHU_OK);
    word = gthulhu_table_lookup(table, 42);
    CHECK(gthulhu_word_present(word) && gthulhu_word_priority(word) == 3 && gthulhu_word_slice_ns(word) == 20000000);
    CHECK(gthulhu_word_is_of(word, 4200) && !gthulhu_word_is_of(word, 4201));
    CHECK(gthulhu_table_lookup_task(table, 42, 4200) == word && gthulhu_table_lookup_task(table, 42, 4201) == 0);
    CHECK(gthulhu_table_lookup_batch(table, pids, words, 3, &generation) == GTHULHU_OK);
    CHECK(words[0] == word && words[1] == 0 && words[2] == 0 && generation == 1);
    CHECK(gthulhu_table_lookup_batch(table, NULL, words, 3, NULL) == GTHULHU_NULL);
    CHECK(gthulhu_table_lookup_batch(table, pids, NULL, 3, NULL) == GTHULHU_NULL);
    CHECK(gthulhu_table_lookup_batch(table, NULL, NULL, 0, NULL) == GTHULHU_OK);
    CHECK(gthulhu_table_lookup_batch(table, pids, words, SIZE_MAX, NULL) == GTHULHU_BAD_ARRAY);
    CHECK(gthulhu_table_lookup_batch(table, (void *)((char *)pids + 1), words, 1, NULL) == GTHULHU_BAD_ARRAY);
    CHECK(gthulhu_table_lookup_batch(table, pids, (void *)((char *)words + 1), 1, NULL) == GTHULHU_BAD_ARRAY);
    CHECK(gthulhu_table_view(table, NULL) == GTHULHU_NULL && gthulhu_table_view(table, &view) == GTHULHU_OK);
    CHECK(gthulhu_view_lookup(&view, 42) == word && gthulhu_view_lookup(&view, 43) == 0);
    CHECK(gthulhu_view_lookup(&view, 4194303) == 0 && gthulhu_view_lookup(&view, UINT32_MAX) == 0);
    CHECK(gthulhu_table_free(table) == GTHULHU_OK);
    bad_table(table, GTHULHU_BAD_HANDLE);
    bad_table(NULL, GTHULHU_NULL);
    bad_table(odd_table(1), GTHULHU_BAD_HANDLE);
    bad_table(odd_table(UINTPTR_MAX), GTHULHU_BAD_HANDLE);

    CHECK(gthulhu_table_open(-1, &error) == NULL && error.code == GTHULHU_SYSTEM);
    CHECK(gthulhu_table_open(9999, &error) == NULL && error.code == GTHULHU_SYSTEM);
    CHECK(pipe(pipes) == 0);
    CHECK(gthulhu_table_open(pipes[0], &error) == NULL && error.code == GTHULHU_NO_TABLE);
    CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
    CHECK(gthulhu_table_connect("/nowhere/at/all", &error) == NULL && error.code == GTHULHU_SYSTEM);
    CHECK(gthulhu_table_connect("\xff", NULL) == NULL);
}

static void many(void) {
    struct gthulhu_engine *engine = gthulhu_engine_new(proc_root, 512, NULL);
    static struct gthulhu_table *table[256];
    struct gthulhu_error error;
    int i;
    for (i = 0; i < 256; i++)
        CHECK((table[i] = gthulhu_engine_table(engine, &error)) != NULL);
    CHECK(gthulhu_engine_table(engine, &error) == NULL && error.code == GTHULHU_TOO_MANY);
    for (i = 0; i < 256; i++)
        CHECK(gthulhu_table_free(table[i]) == GTHULHU_OK);
    CHECK(gthulhu_engine_free(engine) == GTHULHU_OK);
}

struct shared {
    struct gthulhu_engine *engine;
    struct gthulhu_table *table;
};

static void *one_of_eight(void *argument) {
    const struct shared *shared = argument;
    struct gthulhu_view view;
    size_t count;
    int i;
    CHECK(gthulhu_table_view(shared->table, &view) == GTHULHU_OK);
    for (i = 0; i < 20; i++) {
        struct gthulhu_row row;
        uint64_t word = gthulhu_view_lookup(&view, 42);
        CHECK(word == 0 || gthulhu_word_is_of(word, 4200));
        if (i % 3 == 0)
            CHECK(gthulhu_engine_apply(shared->engine, intents, strlen(intents), NULL) == GTHULHU_OK);
        else if (i % 3 == 1)
            CHECK(gthulhu_engine_apply(shared->engine, "[]", 2, NULL) == GTHULHU_OK);
        else
            CHECK(gthulhu_engine_refresh(shared->engine, NULL) == GTHULHU_OK);
        CHECK(gthulhu_engine_rows(shared->engine, &row, 1, &count, NULL) == GTHULHU_OK && count <= 1);
        word = gthulhu_table_lookup(shared->table, 42);
        CHECK(word == 0 || gthulhu_word_priority(word) == 3);
    }
    return NULL;
}

static uint32_t codes[8];

static void *free_it(void *argument) {
    void **both = argument;
    *(uint32_t *)both[1] = gthulhu_engine_free(both[0]);
    return NULL;
}

static void threads(void) {
    struct shared shared;
    pthread_t thread[8];
    void *both[8][2];
    int i, freed = 0;
    shared.engine = gthulhu_engine_new(proc_root, 0, NULL);
    shared.table = gthulhu_engine_table(shared.engine, NULL);
    for (i = 0; i < 8; i++)
        CHECK(pthread_create(&thread[i], NULL, one_of_eight, &shared) == 0);
    for (i = 0; i < 8; i++)
        CHECK(pthread_join(thread[i], NULL) == 0);
    for (i = 0; i < 8; i++) {
        both[i][0] = shared.engine;
        both[i][1] = &codes[i];
        CHECK(pthread_create(&thread[i], NULL, free_it, both[i]) == 0);
    }
    for (i = 0; i < 8; i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
        freed += codes[i] == GTHULHU_OK;
    }
    CHECK(freed == 1);
    CHECK(gthulhu_table_free(shared.table) == GTHULHU_OK);
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    proc_root = argv[1];
    snprintf(intents, sizeof intents, "[{\"podID\":\"%s\",\"priority\":3,\"executionTime\":20000000}]", argv[2]);
    texts();
    engines();
    tables();
    many();
    threads();
    puts("all as it should be");
    return 0;
}
