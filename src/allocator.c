/* The allocator's settings, which it reads from this symbol when the program starts, so that every build
 * has them. Freed pages go back to the system at once (a sweep frees megabytes a minute, and nothing else in
 * the program is in a hurry), from one arena, and the threads' own caches are short: they save a third of a
 * sweep's CPU time, and long ones cost megabytes. */
const char *_rjem_malloc_conf = "narenas:1,tcache_max:2048,tcache_nslots_small_max:20,dirty_decay_ms:0,muzzy_decay_ms:0";
