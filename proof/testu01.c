/* One test of a battery of TestU01, on the words that standard input holds: four bytes each, low byte first.
 *
 * usage: testu01 SmallCrush|Crush|BigCrush TEST
 *        testu01 SmallCrush|Crush|BigCrush count
 *
 * TEST is the test's number in TestU01's guide, from 1 on. The output has a line for each statistic, with tabs between
 * the battery, the test's number, the statistic, the p-value, the words that were read and the seconds.
 * `count` writes the number of tests of the battery. */
#ifdef __linux__
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#endif
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <testu01/bbattery.h>
#include <testu01/swrite.h>
#include <testu01/unif01.h>

static const struct battery {
    const char *name;
    int tests;
    void (*repeat)(unif01_Gen *, int *);
} batteries[] = {
    {"SmallCrush", 10, bbattery_RepeatSmallCrush},
    {"Crush", 96, bbattery_RepeatCrush},
    {"BigCrush", 106, bbattery_RepeatBigCrush},
};

static unsigned char bytes[1 << 16];
static size_t next, end;
static unsigned long long words;

static unsigned int word(void)
{
    if (next == end) {
        end = fread(bytes, 1, sizeof bytes, stdin) / 4 * 4;
        next = 0;
        if (end == 0) {
            fputs("testu01: the words came to an end\n", stderr);
            /* Results of a stream that was cut off must not be printed. */
            _exit(1);
        }
    }
    const unsigned char *b = bytes + next;
    next += 4;
    words++;
    return b[0] | (unsigned int)b[1] << 8 | (unsigned int)b[2] << 16 | (unsigned int)b[3] << 24;
}

int main(int argc, char **argv)
{
    const struct battery *battery = NULL;
    for (size_t i = 0; argc == 3 && i < sizeof batteries / sizeof *batteries; i++)
        if (strcmp(argv[1], batteries[i].name) == 0)
            battery = &batteries[i];
    if (battery != NULL && strcmp(argv[2], "count") == 0) {
        printf("%d\n", battery->tests);
        return 0;
    }
    int test = battery == NULL ? 0 : atoi(argv[2]);
    if (test < 1 || test > battery->tests) {
        fputs("usage: testu01 SmallCrush|Crush|BigCrush TEST|count\n", stderr);
        return 2;
    }
#ifdef F_SETPIPE_SZ
    /* A long pipe lets both ends work at once. A failure only costs speed. */
    fcntl(STDIN_FILENO, F_SETPIPE_SZ, 1 << 20);
#endif
    /* TestU01 writes reports that nobody reads. */
    FILE *out = fdopen(dup(STDOUT_FILENO), "w");
    if (out == NULL || freopen("/dev/null", "w", stdout) == NULL) {
        perror("testu01");
        return 1;
    }
    swrite_Basic = FALSE;
    int repetitions[128] = {0};
    repetitions[test] = 1;
    clock_t begin = clock();
    battery->repeat(unif01_CreateExternGenBits("stdin", word), repetitions);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    for (int i = 0; i < bbattery_NTests; i++)
        fprintf(out, "%s\t%d\t%s\t%.10g\t%llu\t%.1f\n", battery->name, test, bbattery_TestNames[i],
                bbattery_pVal[i], words, seconds);
    return fclose(out) == 0 ? 0 : 1;
}
