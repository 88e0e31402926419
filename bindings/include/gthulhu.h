/*
 * libgthulhu: which strategy for this task? For schedulers. What holds of every function (errors, memory, threads) is
 * said once, in README.md beside the sources; a function says what is special about it.
 *
 * Made from bindings/src; do not edit.
 */

#ifndef GTHULHU_H
#define GTHULHU_H

#include <stddef.h>
#include <stdint.h>

/*
 Bytes of the text of an error, with its end.
 */
#define GTHULHU_ERROR_TEXT 252

/*
 What a call came to.
 */
enum gthulhu_code
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   It did what it says.
   */
  GTHULHU_OK = 0,
  /*
   A pointer that must not be NULL is.
   */
  GTHULHU_NULL = 1,
  /*
   The handle was never given out, or has been freed.
   */
  GTHULHU_BAD_HANDLE = 2,
  /*
   A text is not UTF-8.
   */
  GTHULHU_NOT_UTF8 = 3,
  /*
   The intents are not a JSON array of intents.
   */
  GTHULHU_NOT_JSON = 4,
  /*
   An intent breaks a rule; the text names the intent and the rule. Nothing was applied.
   */
  GTHULHU_REFUSED = 5,
  /*
   The buffer is too short. The size that is needed was told; what was written, the function says.
   */
  GTHULHU_SHORT_BUFFER = 6,
  /*
   The system said no; the text says to what.
   */
  GTHULHU_SYSTEM = 7,
  /*
   What was opened or connected to gives no table of strategies.
   */
  GTHULHU_NO_TABLE = 8,
  /*
   There are 256 handles of this kind already.
   */
  GTHULHU_TOO_MANY = 9,
  /*
   The table was published too often while it was read, as no writer of ours does; all words are 0.
   */
  GTHULHU_BUSY = 10,
  /*
   A defect of the library. The handle can only be freed.
   */
  GTHULHU_INSIDE = 11,
  /*
   An array is not aligned for what is in it, or larger than memory can be.
   */
  GTHULHU_BAD_ARRAY = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum gthulhu_code gthulhu_code;
#else
typedef uint32_t gthulhu_code;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 An engine. Any thread may use it; calls wait for each other.
 */
struct gthulhu_engine;

/*
 A table. Any number of threads may read it at once, and no call waits.
 */
struct gthulhu_table;

/*
 What went wrong, filled by functions that take one. NULL may be passed instead.
 */
struct gthulhu_error {
  /*
   One of enum gthulhu_code.
   */
  uint32_t code;
  /*
   A sentence, always with its end; cut to fit.
   */
  char text[GTHULHU_ERROR_TEXT];
};

/*
 The strategy of one task.
 */
struct gthulhu_row {
  /*
   The task: its thread id, which is the process id for the first thread of a process.
   */
  uint32_t tid;
  /*
   Its process.
   */
  uint32_t tgid;
  /*
   When it started, in clock ticks after boot (field 22 of its stat file).
   */
  uint64_t start;
  /*
   How long it runs at a time, in nanoseconds: 100,000 to 100,000,000; 0 leaves it to the scheduler.
   */
  uint32_t slice_ns;
  /*
   Its priority: 1 (strongest) to 20 (weakest); 0 for none.
   */
  uint8_t priority;
  /*
   Always 0.
   */
  uint8_t reserved[3];
};

/*
 The parts of a table for gthulhu_view_lookup, which is inline. Good as long as the table is not freed.
 */
struct gthulhu_view {
  /*
   The generation that is published.
   */
  const uint64_t *generation;
  /*
   The presence map.
   */
  const uint8_t *presence;
  /*
   The banks.
   */
  const uint64_t *banks;
  /*
   Words of each bank: pids from here on have no entry.
   */
  uint64_t pid_max;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 What a code means in general, as text that is always there. An unknown number has a text too.
 */
const char *gthulhu_code_text(uint32_t code);

/*
 Makes an engine without intents. proc_root is the proc file system to look at, NULL for /proc; pid_max the kernel's
 (pids are below it), 0 for the greatest there is, 4194304. NULL, and error says why, if it cannot be made. Processes are
 first looked at by gthulhu_engine_apply.
 */
struct gthulhu_engine *gthulhu_engine_new(const char *proc_root,
                                          uint32_t pid_max,
                                          struct gthulhu_error *error);

/*
 Replaces all intents by a JSON array of them, looks at the processes and publishes who gets what. An intent has
 the fields of those that a decision maker is sent: podID, commandRegex, priority, executionTime, and others. The text is UTF-8,
 length bytes long, and need not end with a 0. After a failure everything is as it was.
 */
uint32_t gthulhu_engine_apply(struct gthulhu_engine *engine,
                              const char *intents,
                              size_t length,
                              struct gthulhu_error *error);

/*
 Looks at the processes again and publishes what changed. After a failure everything is as it was.
 */
uint32_t gthulhu_engine_refresh(struct gthulhu_engine *engine, struct gthulhu_error *error);

/*
 Writes the tasks that have a strategy to rows, of which there are capacity: first threads by pid, then others by tid.
 How many there are is in count, also if they do not fit: then those that do are written, and it is
 GTHULHU_SHORT_BUFFER. rows may be NULL if capacity is 0, count never.
 */
uint32_t gthulhu_engine_rows(struct gthulhu_engine *engine,
                             struct gthulhu_row *rows,
                             size_t capacity,
                             size_t *count,
                             struct gthulhu_error *error);

/*
 Writes why a task has its strategy or none to text, as JSON that ends with a 0. Its length without that is in
 length, also if it does not fit: then GTHULHU_SHORT_BUFFER, and nothing but an end is written. length may be NULL.
 */
uint32_t gthulhu_engine_explain(struct gthulhu_engine *engine,
                                uint32_t pid,
                                char *text,
                                size_t capacity,
                                size_t *length,
                                struct gthulhu_error *error);

/*
 A handle to the table that this engine publishes to. It outlives the engine, and is to be freed by itself.
 */
struct gthulhu_table *gthulhu_engine_table(struct gthulhu_engine *engine, struct gthulhu_error *error);

/*
 Frees an engine. One that was freed already is GTHULHU_BAD_HANDLE, and NULL is GTHULHU_NULL; neither does harm.
 */
uint32_t gthulhu_engine_free(struct gthulhu_engine *engine);

/*
 Opens the table that a file descriptor is of. The descriptor stays the caller's. Nothing of the file is believed:
 what is no table is GTHULHU_NO_TABLE.
 */
struct gthulhu_table *gthulhu_table_open(int file, struct gthulhu_error *error);

/*
 Gets the table that another process serves at this unix socket, a decision maker (its feed) or a scheduler; NULL for
 /run/gthulhu/feed.sock, which is the decision maker's. Waits 5 s for it at most. One that is started again has another
 table: ask again now and then, and keep the old one until there is an answer.
 */
struct gthulhu_table *gthulhu_table_connect(const char *socket, struct gthulhu_error *error);

/*
 The word of a task as published; 0 if it has none, or the handle is bad. gthulhu_word_priority and others read it.
 */
uint64_t gthulhu_table_lookup(const struct gthulhu_table *table, uint32_t pid);

/*
 As gthulhu_table_lookup, for the task that started at this moment, in clock ticks after boot (field 22 of its stat
 file): one that had the same number in another tick has no word.
 */
uint64_t gthulhu_table_lookup_task(const struct gthulhu_table *table, uint32_t pid, uint64_t start);

/*
 Writes the words of count tasks, all of one generation, which is written to generation unless that is NULL. If pids or words
 is NULL or no array, or the handle is bad, nothing is written.
 */
uint32_t gthulhu_table_lookup_batch(const struct gthulhu_table *table,
                                    const uint32_t *pids,
                                    uint64_t *words,
                                    size_t count,
                                    uint64_t *generation);

/*
 The number of the generation that is published; 0 before the first, and for a bad handle.
 */
uint64_t gthulhu_table_generation(const struct gthulhu_table *table);

/*
 Fills a view of the table.
 */
uint32_t gthulhu_table_view(const struct gthulhu_table *table, struct gthulhu_view *view);

/*
 Frees a table. No other thread may be in a call with it, or read a view of it. One that was freed already is
 GTHULHU_BAD_HANDLE, and NULL is GTHULHU_NULL; neither does harm.
 */
uint32_t gthulhu_table_free(struct gthulhu_table *table);

/*
 The version of the library, as text that is always there.
 */
const char *gthulhu_version(void);

/*
 Makes an engine without intents. proc_root is the proc file system to look at, NULL for /proc; pid_max the kernel's
 (pids are below it), 0 for the greatest there is, 4194304. NULL, and error says why, if it cannot be made. Processes are
 first looked at by gthulhu_engine_apply.
 */
struct gthulhu_engine *gthulhu_engine_new(const char *proc_root,
                                          uint32_t pid_max,
                                          struct gthulhu_error *error);

/*
 Replaces all intents by a JSON array of them, looks at the processes and publishes who gets what. An intent has
 the fields of those that a decision maker is sent: podID, commandRegex, priority, executionTime, and others. The text is UTF-8,
 length bytes long, and need not end with a 0. After a failure everything is as it was.
 */
uint32_t gthulhu_engine_apply(struct gthulhu_engine *engine,
                              const char *intents,
                              size_t length,
                              struct gthulhu_error *error);

/*
 Looks at the processes again and publishes what changed. After a failure everything is as it was.
 */
uint32_t gthulhu_engine_refresh(struct gthulhu_engine *engine, struct gthulhu_error *error);

/*
 Writes the tasks that have a strategy to rows, of which there are capacity: first threads by pid, then others by tid.
 How many there are is in count, also if they do not fit: then those that do are written, and it is
 GTHULHU_SHORT_BUFFER. rows may be NULL if capacity is 0, count never.
 */
uint32_t gthulhu_engine_rows(struct gthulhu_engine *engine,
                             struct gthulhu_row *rows,
                             size_t capacity,
                             size_t *count,
                             struct gthulhu_error *error);

/*
 Writes why a task has its strategy or none to text, as JSON that ends with a 0. Its length without that is in
 length, also if it does not fit: then GTHULHU_SHORT_BUFFER, and nothing but an end is written. length may be NULL.
 */
uint32_t gthulhu_engine_explain(struct gthulhu_engine *engine,
                                uint32_t pid,
                                char *text,
                                size_t capacity,
                                size_t *length,
                                struct gthulhu_error *error);

/*
 A handle to the table that this engine publishes to. It outlives the engine, and is to be freed by itself.
 */
struct gthulhu_table *gthulhu_engine_table(struct gthulhu_engine *engine, struct gthulhu_error *error);

/*
 Frees an engine. One that was freed already is GTHULHU_BAD_HANDLE, and NULL is GTHULHU_NULL; neither does harm.
 */
uint32_t gthulhu_engine_free(struct gthulhu_engine *engine);

/*
 What a code means in general, as text that is always there. An unknown number has a text too.
 */
const char *gthulhu_code_text(uint32_t code);

/*
 Opens the table that a file descriptor is of. The descriptor stays the caller's. Nothing of the file is believed:
 what is no table is GTHULHU_NO_TABLE.
 */
struct gthulhu_table *gthulhu_table_open(int file, struct gthulhu_error *error);

/*
 Gets the table that another process serves at this unix socket, a decision maker (its feed) or a scheduler; NULL for
 /run/gthulhu/feed.sock, which is the decision maker's. Waits 5 s for it at most. One that is started again has another
 table: ask again now and then, and keep the old one until there is an answer.
 */
struct gthulhu_table *gthulhu_table_connect(const char *socket, struct gthulhu_error *error);

/*
 The word of a task as published; 0 if it has none, or the handle is bad. gthulhu_word_priority and others read it.
 */
uint64_t gthulhu_table_lookup(const struct gthulhu_table *table, uint32_t pid);

/*
 As gthulhu_table_lookup, for the task that started at this moment, in clock ticks after boot (field 22 of its stat
 file): one that had the same number in another tick has no word.
 */
uint64_t gthulhu_table_lookup_task(const struct gthulhu_table *table, uint32_t pid, uint64_t start);

/*
 Writes the words of count tasks, all of one generation, which is written to generation unless that is NULL. If pids or words
 is NULL or no array, or the handle is bad, nothing is written.
 */
uint32_t gthulhu_table_lookup_batch(const struct gthulhu_table *table,
                                    const uint32_t *pids,
                                    uint64_t *words,
                                    size_t count,
                                    uint64_t *generation);

/*
 The number of the generation that is published; 0 before the first, and for a bad handle.
 */
uint64_t gthulhu_table_generation(const struct gthulhu_table *table);

/*
 Fills a view of the table.
 */
uint32_t gthulhu_table_view(const struct gthulhu_table *table, struct gthulhu_view *view);

/*
 Frees a table. No other thread may be in a call with it, or read a view of it. One that was freed already is
 GTHULHU_BAD_HANDLE, and NULL is GTHULHU_NULL; neither does harm.
 */
uint32_t gthulhu_table_free(struct gthulhu_table *table);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* GTHULHU_H */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What follows is inline: no call, no lock, no system call. The layout of the table is fixed by its version, which was
 * checked when it was opened.
 */

/* Whether a word is an entry at all. */
static inline int gthulhu_word_present(uint64_t word) { return (int)(word & 1); }

/* 1 (strongest) to 20 (weakest); 0 for no preference. */
static inline uint32_t gthulhu_word_priority(uint64_t word) {
    uint32_t priority = (uint32_t)(word >> 1 & 31);
    return priority > 20 ? 20 : priority;
}

/* Nanoseconds, 100,000 to 100,000,000; 0 leaves it to the scheduler. */
static inline uint32_t gthulhu_word_slice_ns(uint64_t word) {
    uint32_t slice = (uint32_t)(word >> 6 & 0x7ffffff);
    if (slice == 0)
        return 0;
    return slice < 100000 ? 100000 : slice > 100000000 ? 100000000 : slice;
}

/*
 * Whether a word was made for a task that started at this moment, in clock ticks after boot. Two tasks that had the same
 * number within one tick (10 ms) are not told apart by it: there the table is right as soon as its writer knows of the
 * exit, at once or within its next look at the processes.
 */
static inline int gthulhu_word_is_of(uint64_t word, uint64_t start) {
    return word >> 33 == (start & 0x7fffffff);
}

/*
 * The word of a task as published, as gthulhu_table_lookup gives it: 0 is no entry. It is over after at most 64 attempts, of which
 * the second is needed only if three publications fell into the first.
 */
static inline uint64_t gthulhu_view_lookup(const struct gthulhu_view *view, uint32_t pid) {
    int attempt;
    if (pid >= view->pid_max)
        return 0;
    for (attempt = 0; attempt < 64; attempt++) {
        uint64_t generation = __atomic_load_n(view->generation, __ATOMIC_ACQUIRE);
        uint64_t word = 0;
        if (__atomic_load_n(&view->presence[pid >> 9], __ATOMIC_RELAXED))
            word = __atomic_load_n(&view->banks[(generation & 3) * view->pid_max + pid], __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(view->generation, __ATOMIC_RELAXED) - generation < 3)
            return word;
    }
    return 0;
}

#ifdef __cplusplus
}
#endif
