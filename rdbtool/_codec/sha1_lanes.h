/* SHA-1 of several messages side by side, one in each lane of a vector: a template, included for each width.
 *
 * It needs LANES, VECTOR (of LANES 32-bit words), TARGET (the attribute that names the instructions), NAME(f), SET1,
 * LOAD, STORE, ROL, CHOOSE, PARITY, MAJORITY, XOR4, KEEP(old, new, n), which takes the first n lanes of `new`, and a
 * function NAME(columns), which reads a block of each message and makes word i of all of them vector i.
 */

#define RT_SCHEDULE(i) \
    (w[(i) & 15] = ROL(XOR4(w[((i) + 13) & 15], w[((i) + 8) & 15], w[((i) + 2) & 15], w[(i) & 15]), 1))
#define RT_ROUND(f, k, i)                                           \
    do {                                                            \
        VECTOR t;                                                   \
        if ((i) > 15)                                               \
            RT_SCHEDULE(i);                                         \
        t = ROL(a, 5) + f(b, c, d) + (e + (SET1(k) + w[(i) & 15])); \
        e = d;                                                      \
        d = c;                                                      \
        c = ROL(b, 30);                                             \
        b = a;                                                      \
        a = t;                                                      \
    } while (0)
#define RT_FIVE(f, k, i)                                            \
    RT_ROUND(f, k, i);                                              \
    RT_ROUND(f, k, (i) + 1);                                        \
    RT_ROUND(f, k, (i) + 2);                                        \
    RT_ROUND(f, k, (i) + 3);                                        \
    RT_ROUND(f, k, (i) + 4)
#define RT_TWENTY(f, k, i)                                          \
    RT_FIVE(f, k, i);                                               \
    RT_FIVE(f, k, (i) + 5);                                         \
    RT_FIVE(f, k, (i) + 10);                                        \
    RT_FIVE(f, k, (i) + 15)

/* Unrolled: with words that are constants the compiler omits their part of the schedule. */
static inline __attribute__((always_inline)) TARGET void NAME(rounds)(VECTOR h[5], VECTOR w[16])
{
    VECTOR a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    RT_TWENTY(CHOOSE, 0x5A827999u, 0);
    RT_TWENTY(PARITY, 0x6ED9EBA1u, 20);
    RT_TWENTY(MAJORITY, 0x8F1BBCDCu, 40);
    RT_TWENTY(PARITY, 0xCA62C1D6u, 60);
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* Mixes a block of each of LANES messages into column `at` and those after it; only the first `count` change. */
static TARGET void NAME(next)(rt_sha1_row *row, int at, const uint8_t *const blocks[LANES], int count)
{
    VECTOR w[16], h[5], before;
    NAME(columns)(w, blocks);
    for (int i = 0; i < 5; i++)
        h[i] = LOAD(row->w[i] + at);
    NAME(rounds)(h, w);
    for (int i = 0; i < 5; i++) {
        before = LOAD(row->w[i] + at);
        STORE(row->w[i] + at, KEEP(before, h[i], count));
    }
}

/* Replaces column `at` and those after it by their hashes; only the first `count` of them change. */
static TARGET void NAME(again)(rt_sha1_row *row, int at, int count)
{
    VECTOR h[5] = {SET1(0x67452301u), SET1(0xEFCDAB89u), SET1(0x98BADCFEu), SET1(0x10325476u), SET1(0xC3D2E1F0u)};
    VECTOR w[16], before;
    for (int i = 0; i < 5; i++)
        w[i] = LOAD(row->w[i] + at);
    w[5] = SET1(0x80000000u);
    for (int i = 6; i < 15; i++)
        w[i] = SET1(0);
    w[15] = SET1(160);
    NAME(rounds)(h, w);
    for (int i = 0; i < 5; i++) {
        before = LOAD(row->w[i] + at);
        STORE(row->w[i] + at, KEEP(before, h[i], count));
    }
}

#undef RT_SCHEDULE
#undef RT_ROUND
#undef RT_FIVE
#undef RT_TWENTY
#undef LANES
#undef VECTOR
#undef TARGET
#undef NAME
#undef SET1
#undef LOAD
#undef STORE
#undef ROL
#undef CHOOSE
#undef PARITY
#undef MAJORITY
#undef XOR4
#undef KEEP
