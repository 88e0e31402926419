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
